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

/** ssh2 1.17 writes about one ed25519 key in 300 so that it can't read it itself; such a key is thrown away. */
export function makeKeyPair(): KeyPair {
  for (;;) {
    const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519');
    if (ssh2.utils.parseKey(privateKey) instanceof Error) continue;
    return { privateKey, publicKey: publicKey.split(' ').slice(0, 2).join(' ') };
  }
}
