/**
 * Commands at a terminal, as a person would run them.
 * @module
 */
import { spawn, type ChildProcessByStdio, type SpawnOptions } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A shell command in a pseudo-terminal of script(1), bsdutils. Its output is what the terminal gets, its input what is typed. */
export function spawnAtTerminal(
  command: string,
  { columns, rows }: TerminalSize,
  options: Pick<SpawnOptions, 'cwd' | 'env'>,
): ChildProcessByStdio<Writable, Readable, null> {
  const sized = `stty cols ${columns} rows ${rows}; ${command}`;
  return spawn('script', ['--quiet', '--return', '--command', sized, '/dev/null'], {
    ...options,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}
