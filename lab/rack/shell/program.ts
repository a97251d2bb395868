/**
 * A program of the simulated host that just-bash doesn't have, or has only roughly.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';
import type { Kernel } from '../machine/kernel.js';
import type { Process } from './process.js';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A string is standard output with exit code 0. Bytes go through pipes and redirections unchanged. */
export type ProgramResult =
  string | { readonly stdout?: string | Uint8Array; readonly stderr?: string; readonly exitCode?: number };

export interface ChildOptions {
  readonly stdin?: string | Uint8Array;
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly kernel: Kernel;
  readonly process: Process;
  readonly fs: FileSystem;
  readonly cwd: string;
  readonly env: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  stdin(): string;
  stdinBytes(): Uint8Array;
  /** Runs a child and waits for it; standard input is ours unless given. */
  run(argv: readonly string[], options?: ChildOptions): Promise<Output>;
  /** just-bash's own program of this name. */
  original(argv: readonly string[]): Promise<Output>;
  /** An absolute path for one relative to the working directory. */
  path(path: string): string;
}

export type Program = (call: Call) => ProgramResult | Promise<ProgramResult>;
export type Programs = Readonly<Record<string, Program>>;

export const fail = (exitCode: number, stderr: string): ProgramResult => ({
  exitCode,
  stderr: stderr.endsWith('\n') || stderr === '' ? stderr : `${stderr}\n`,
});

export interface ParsedArgs {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/**
 * `-x`, `-xy`, `-o VALUE`, `-oVALUE`, `--long`, `--long=VALUE`, `--long VALUE`. Names in `withValue` take one; give them with
 * their dashes. Options end at `--`, and at the first other word when `stopAtWord`.
 */
export function parseArgs(args: readonly string[], withValue: readonly string[] = [], stopAtWord = false): ParsedArgs {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  const take = (name: string, value: string): void => {
    const list = values.get(name);
    if (list === undefined) values.set(name, [value]);
    else list.push(value);
  };
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '--') {
      rest.push(...args.slice(at + 1));
      break;
    }
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const name = equals < 0 ? arg : arg.slice(0, equals);
      if (equals >= 0) take(name, arg.slice(equals + 1));
      else if (withValue.includes(name)) take(name, args[(at += 1)] ?? '');
      else flags.add(name);
    } else if (arg.startsWith('-') && arg.length > 1) {
      for (let letter = 1; letter < arg.length; letter += 1) {
        const name = `-${arg[letter]}`;
        if (withValue.includes(name)) {
          const inline = arg.slice(letter + 1);
          take(name, inline === '' ? (args[(at += 1)] ?? '') : inline);
          break;
        }
        flags.add(name);
      }
    } else {
      rest.push(arg);
      if (stopAtWord) {
        rest.push(...args.slice(at + 1));
        break;
      }
    }
  }
  return { flags, values, rest };
}
