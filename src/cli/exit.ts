/**
 * Every error as an exit code and a message. Codes are part of the interface: docs and scripts rely on them.
 * @module
 */
import { CommanderError } from 'commander';
import { BadStore } from '../adapters/artifacts/index.js';
import { ClientError, type ClientErrorKind } from '../client.js';
import { CodecError } from '../codec/key-ring.js';
import { EXIT, OUTCOMES } from '../domain/run/outcomes.js';
import { plainLines } from '../domain/text/plain.js';
import { InventoryError } from '../inventory/index.js';
import { TracingError } from '../tracing/settings.js';
import type { Io } from './io.js';

/** As a shell reports Ctrl-C. The view was left, so how the run ends is unknown: no success for `&&`. */
export const EXIT_LEFT = 130;

/** Bad input found by a command. The message names the option, the value and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const CLIENT_EXIT: Readonly<Record<ClientErrorKind, number>> = {
  unreachable: EXIT.unreachable,
  'no-worker': EXIT.unreachable,
  'not-found': EXIT.badInput,
  'codec-keys': EXIT.badInput,
  refused: OUTCOMES.refused.exit,
  'already-running': EXIT.alreadyRunning,
};

export interface Failure {
  readonly exit: number;
  readonly message: string;
  /** It has been printed already. */
  readonly printed: boolean;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '');
    return { exit: error.exitCode === 0 ? EXIT.done : EXIT.badInput, message, printed: true };
  }
  if (
    error instanceof InventoryError ||
    error instanceof UsageError ||
    error instanceof CodecError ||
    error instanceof TracingError ||
    error instanceof BadStore
  )
    return { exit: EXIT.badInput, message: error.message, printed: false };
  if (error instanceof ClientError) return { exit: CLIENT_EXIT[error.kind], message: error.message, printed: false };
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exit: EXIT.bug, printed: false, message: `this is a bug of gpu-provision; runs are unaffected.\n${trace}` };
}

/** Errors that nobody awaits: Node would print them itself, with whatever their messages quote. */
export function reportCrashes(io: Io): void {
  process.on('uncaughtException', (error) => {
    io.stderr(`${plainLines(failureOf(error).message)}\n`);
    process.exit(EXIT.bug);
  });
}
