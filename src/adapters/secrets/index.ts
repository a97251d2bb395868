/**
 * Secrets by reference: `file:/absolute/path`, `file:~/path` or `env:NAME`, read by the worker at the moment they are needed,
 * so that a rotated secret is picked up and none ever sits in a workflow's history.
 *
 * A private key file should be readable by the worker's user alone (mode 600). This is not enforced here: containers mount
 * secrets with other modes, and refusing them would stop a run for something that the mount already guards.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { SecretRef } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import type { SecretSource } from '../../ports/secrets.js';

export interface SecretSourceOptions {
  /** Where `env:` looks; the worker's own environment when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What `~` means; the worker's home directory when left out. */
  readonly home?: string;
}

/** Larger than any key or token; a reference to a log or a device by mistake must not fill the memory. */
const MAX_SECRET_BYTES = 64 * 1024;

export function createSecretSource({ env = process.env, home = homedir() }: SecretSourceOptions = {}): SecretSource {
  return {
    async read(ref) {
      const secret = ref.startsWith('env:') ? fromEnvironment(ref, env) : await fromFile(ref, home);
      const text = secret.replace(/\r?\n$/, '');
      if (text === '') throw unreadable(ref, 'is empty');
      return text;
    },
  };
}

function fromEnvironment(ref: SecretRef, env: Readonly<Record<string, string | undefined>>): string {
  const value = env[ref.slice('env:'.length)];
  if (value === undefined) throw unreadable(ref, "is not set in the worker's environment");
  return value;
}

async function fromFile(ref: SecretRef, home: string): Promise<string> {
  if (!ref.startsWith('file:')) throw unreadable(ref, 'is neither file:/absolute/path nor env:NAME');
  const written = ref.slice('file:'.length);
  const path = written.startsWith('~/') ? join(home, written.slice(2)) : written;
  if (!isAbsolute(path)) throw unreadable(ref, 'must be an absolute path, or start with ~/');
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw unreadable(ref, `cannot be read: ${reasonOf(error)}`);
  }
  if (bytes.length > MAX_SECRET_BYTES) throw unreadable(ref, `is larger than ${MAX_SECRET_BYTES / 1024} KiB`);
  return bytes.toString('utf8');
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file on the worker',
  EACCES: "the worker's user may not read it",
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of the path is not a directory',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return FILE_ERRORS[code] ?? code;
}

/** Carries no cause: the errors of readers quote paths and may quote content. */
function unreadable(ref: SecretRef, what: string): ProvisionError {
  return new ProvisionError('SecretUnreadable', `the secret ${ref} ${what}`, { ref });
}
