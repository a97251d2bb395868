/**
 * SSH keys for tests.
 * @module
 */
import ssh2 from 'ssh2';

/**
 * A fresh pair, private in OpenSSH form. ECDSA, because ssh2 1.17 cuts the leading zero bytes off an ed25519 public key that it
 * makes, so that one pair in 256 cannot be read.
 */
export function makeKeyPair(passphrase?: string): { readonly private: string; readonly public: string } {
  const encryption = passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 1 };
  const pair = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256, ...encryption });
  return { private: pair.private, public: pair.public.trim() };
}
