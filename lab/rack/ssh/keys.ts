/**
 * ed25519 key pairs in the formats that OpenSSH and ssh2 read.
 * @module
 */
import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH private key format. */
  readonly privateKey: string;
  /** `ssh-ed25519 BASE64` */
  readonly publicKey: string;
}

export function makeKeyPair(): KeyPair {
  const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicKey.split(' ').slice(0, 2).join(' ') };
}
