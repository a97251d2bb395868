/**
 * A child process that cannot outlive us, however we end: a supervising shell reads a pipe that only we hold open, and stops the child when it closes.
 * The child has a process group of its own, so Ctrl-C in the terminal reaches us alone and we stop things in order.
 * @module
 */
import { spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Child {
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<ChildExit>;
  /** The end of what it printed. */
  output(): string;
  /** SIGKILL, as a crash would be. */
  kill(): void;
  /** SIGTERM, then SIGKILL; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Everything it prints also goes here. */
  readonly logFile?: string;
  /** From SIGTERM to SIGKILL, default 10: a Temporal server or worker that drains needs a second or two. */
  readonly patienceSeconds?: number;
}

const STOP_SECONDS = 10;
const KEPT_OUTPUT_CHARACTERS = 16 * 1024;

/**
 * $1 is the patience between SIGTERM and SIGKILL, then the command. `exec 3<&0` because a shell gives background commands an empty stdin.
 * The reader is killed with its `cat` or `sleep` by ending the whole group at the end.
 */
export const SUPERVISOR = `
patience=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
( cat <&3 >/dev/null; kill "$child"; sleep "$patience"; kill -9 "$child" ) >/dev/null 2>&1 &
wait "$child"
code=$?
exec 3<&-
( printf %s "$code" >&4 ) 2>/dev/null # we may be gone by now; the group must end all the same
kill -9 0
`;

export function startChild(argv: readonly [string, ...string[]], options: ChildOptions = {}): Child {
  const patience = String(options.patienceSeconds ?? STOP_SECONDS);
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'sh', patience, ...argv], {
    // The fourth pipe brings the exit code, since the group ends itself with SIGKILL.
    stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, ...options.env },
  });
  const [stdin, stdout, stderr] = child.stdio;
  const report = child.stdio[4] as Readable | null | undefined;
  if (stdin === null || stdout === null || stderr === null || !report)
    throw new Error('a pipe to the child is missing');
  let kept = '';
  const log: WriteStream | null =
    options.logFile === undefined ? null : createWriteStream(options.logFile, { flags: 'a' });
  for (const stream of [stdout, stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      log?.write(text);
      kept = (kept + text).slice(-KEPT_OUTPUT_CHARACTERS);
    });
  }
  // EPIPE when it has ended in the same moment in which we stop it.
  stdin.on('error', () => undefined);

  let code = '';
  report.setEncoding('utf8');
  report.on('data', (text: string) => (code += text));

  const exited = new Promise<ChildExit>((resolve) => {
    child.on('error', (error) => {
      kept += String(error);
      resolve({ code: null, signal: null });
    });
    child.on('close', (_shellCode, signal) => {
      log?.end();
      resolve(exitOf(code, signal));
    });
  });
  return {
    exited,
    output: () => kept.trim(),
    kill: () => {
      // The whole group: the supervisor has nothing left to do.
      if (child.pid !== undefined) killGroup(child.pid);
    },
    stop: async () => {
      stdin.end();
      await exited;
    },
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A shell says 128 + N for a command that signal N ended. */
function exitOf(code: string, signal: string | null): ChildExit {
  if (code === '') return { code: null, signal };
  const number = Number(code);
  return number > 128 ? { code: null, signal: `signal ${number - 128}` } : { code: number, signal: null };
}
