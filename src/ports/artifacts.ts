/**
 * Where evidence is kept that is too large for a history. Texts are named by their SHA-256, so that nothing is ever overwritten with something
 * else, and what is read is known to be what was written.
 * @module
 */

export interface StoredText {
  readonly sha256: string;
  readonly bytes: number;
}

export interface ArtifactStore {
  /** `file:///PATH` or `s3://BUCKET/PREFIX`. */
  readonly url: string;
  /** Returns when the text is stored and was read back. Throws an error with a message for people; no secrets. */
  put(text: string): Promise<StoredText>;
  /** Throws when it is not there, or is another text than its name says. */
  get(sha256: string): Promise<string>;
}
