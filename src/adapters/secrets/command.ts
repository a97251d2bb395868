/**
 * `command:PROGRAM ARGUMENT...`: what a program prints, for sites that keep secrets in a password store. It runs without a shell, with the
 * worker's environment, in which such programs find their own login.
 * @module
 */
import { execFile } from 'node:child_process';
import type { SecretRef } from '../../domain/spec.js';
import { MAX_SECRET_BYTES, TOO_LARGE, unreadable } from './unreadable.js';

/** Password stores answer in a second or two; one that asks a person at a terminal never does. */
const COMMAND_LIMIT_MS = 15_000;

export interface CommandRun {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly limitMs?: number;
}

export async function readSecretFromCommand(
  ref: SecretRef,
  written: string,
  { env, limitMs = COMMAND_LIMIT_MS }: CommandRun,
): Promise<string> {
  const [program = '', ...args] = written.split(/ +/);
  const options = {
    env: { ...env },
    timeout: limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_SECRET_BYTES,
    encoding: 'utf8',
  } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(unreadable(ref, reasonOf(error, limitMs)));
    });
    // A program that asks finds nobody, instead of waiting for the limit.
    child.stdin?.end();
  });
}

/** Neither what it printed nor the error's message, which repeats that: both may hold the secret. */
function reasonOf(error: Error & { code?: unknown; killed?: boolean; signal?: unknown }, limitMs: number): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return TOO_LARGE;
  if (error.code === 'ENOENT') return 'names a program that is not there on the worker';
  if (error.code === 'EACCES') return "names a program that the worker's user may not run";
  if (error.killed === true) return `did not come within ${limitMs / 1_000} s: its program was ended`;
  const how = typeof error.code === 'number' ? `exit code ${error.code}` : `signal ${String(error.signal)}`;
  return `did not come: its program ended with ${how}. Run it on the worker to see why; its output is not shown`;
}
