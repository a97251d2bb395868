/**
 * Runs one command line to its exit code. Never throws, never exits the process.
 * @module
 */
import type { Command } from 'commander';
import { connectProvision } from '../client.js';
import { EXIT } from '../domain/run/outcomes.js';
import { plainJson, plainLines } from '../domain/text/plain.js';
import type { Deps } from './deps.js';
import { everyCommand } from './every-command.js';
import { failureOf } from './exit.js';
import type { Io } from './io.js';
import type { Done } from './program.js';

/** @param words The words after the program's name. */
export async function runCli(
  program: (deps: Deps, done: Done) => Command,
  words: readonly string[],
  io: Io,
  connect: Deps['connect'] = () => connectProvision({ env: io.env }),
): Promise<number> {
  let exit: number = EXIT.done;
  const json = words.includes('--json');
  try {
    const root = program({ io, connect }, (code) => (exit = code));
    // Its usage lines are no JSON, and what is wrong is said below.
    if (json) for (const command of everyCommand(root)) command.configureOutput({ writeErr: () => undefined });
    await root.parseAsync([...words], { from: 'user' });
    return exit;
  } catch (error) {
    const failure = failureOf(error);
    if (json && failure.exit !== EXIT.done)
      io.stderr(`${plainJson({ kind: 'error', exit: failure.exit, message: failure.message })}\n`);
    else if (!failure.printed) io.stderr(`${plainLines(failure.message)}\n`);
    return failure.exit;
  }
}
