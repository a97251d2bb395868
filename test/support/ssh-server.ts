/**
 * What the SSH tests need from a server, whoever plays it.
 * @module
 */
export interface TestSshServer {
  readonly port: number;
  readonly user: string;
  /** Lines for known_hosts without the name: `ssh-ed25519 AAAA…`. */
  readonly hostKeys: readonly string[];
  /** Path of a private key that may log in. */
  readonly userKey: string;
  /** TCP connections accepted so far. */
  connections(): number;
  /** Cuts every connection at once, as a power loss behind a live switch would. */
  dropLinks(): void;
  close(): Promise<void>;
}
