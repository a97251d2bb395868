/**
 * `file:PATH`. Read as it is: a run must not stop in the middle of a reboot because somebody changed a mode. Whether others may read it is
 * checked where a run is started, and the worker warns.
 * @module
 */
import { open } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { SecretRef } from '../../domain/spec.js';
import { MAX_SECRET_BYTES, TOO_LARGE, unreadable } from './unreadable.js';

const READABLE_BY_OTHERS = 0o004;

export interface FileReading {
  /** What `~` means. */
  readonly home: string;
  readonly warn: (text: string) => void;
}

export async function readSecretFile(ref: SecretRef, written: string, { home, warn }: FileReading): Promise<string> {
  const path = written.startsWith('~/') ? join(home, written.slice(2)) : written;
  if (!isAbsolute(path)) throw unreadable(ref, 'must be an absolute path, or start with ~/');
  try {
    const file = await open(path);
    try {
      const { mode } = await file.stat();
      if ((mode & READABLE_BY_OTHERS) !== 0) {
        warn(`every user of this machine may read the secret ${ref} (mode ${(mode & 0o777).toString(8)}): chmod 600`);
      }
      // One byte more than is allowed tells a secret that is too large; the size of a pipe or a device says nothing.
      const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length);
        length += bytesRead;
        if (bytesRead === 0 || length === buffer.length) break;
      }
      if (length > MAX_SECRET_BYTES) throw unreadable(ref, TOO_LARGE);
      return buffer.toString('utf8', 0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      throw unreadable(ref, `cannot be read: ${FILE_ERRORS[String(error.code)] ?? String(error.code)}`);
    }
    throw error;
  }
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'the user of this process may not read it',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of the path is not a directory',
};
