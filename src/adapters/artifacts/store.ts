/**
 * Artifacts by their content, over anything that keeps bytes under a key.
 * @module
 */
import { createHash } from 'node:crypto';
import type { ArtifactStore } from '../../ports/artifacts.js';

/** Keeps bytes under keys. Errors have messages for people. */
export interface Shelf {
  readonly url: string;
  /** null when there is nothing. */
  read(key: string): Promise<Buffer | null>;
  /** All or nothing; what is there under the key already has the same content. */
  write(key: string, bytes: Buffer, sha256: string): Promise<void>;
}

/** `sha256/9f/9f86d0…`: a folder for each of 256 beginnings, since one for all would grow without bound. */
const keyOf = (sha256: string): string => `sha256/${sha256.slice(0, 2)}/${sha256}`;
const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export function artifactStore(shelf: Shelf): ArtifactStore {
  const read = async (sha256: string): Promise<Buffer> => {
    const bytes = await shelf.read(keyOf(sha256));
    if (bytes === null) throw new Error(`${shelf.url} has no artifact ${sha256}`);
    const found = hashOf(bytes);
    if (found !== sha256) throw new Error(`${shelf.url}: artifact ${sha256} is damaged, it hashes to ${found}`);
    return bytes;
  };
  return {
    url: shelf.url,
    async put(text) {
      const bytes = Buffer.from(text);
      const sha256 = hashOf(bytes);
      await shelf.write(keyOf(sha256), bytes, sha256);
      await read(sha256);
      return { sha256, bytes: bytes.length };
    },
    async get(sha256) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`"${sha256}" is no SHA-256: expected 64 hex digits`);
      return (await read(sha256)).toString();
    },
  };
}
