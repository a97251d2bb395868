/**
 * What getting a tool needs from its surroundings, so that tests can play a machine without network, Go or Java.
 * @module
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutSeconds: number;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface Workshop {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Where tools are kept between runs. */
  readonly cacheDir: string;
  readonly fetch: typeof fetch;
  /** Runs a program to its end; rejects unless it exits with 0, with the end of its output in the message. Resolves to its output. */
  run(argv: readonly [string, ...string[]], options: RunOptions): Promise<string>;
  /** One line of progress for people. */
  report(line: string): void;
}

/** This machine, with progress on stderr. */
export function thisMachine(): Workshop {
  return {
    env: process.env,
    platform: process.platform,
    arch: process.arch,
    cacheDir: cacheDir(process.env),
    fetch,
    run,
    report: (line) => process.stderr.write(`${line}\n`),
  };
}

export function cacheDir(env: Workshop['env']): string {
  const own = env['GPU_PROVISION_CACHE'];
  if (own !== undefined && own !== '') return own;
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'gpu-provision');
}

/** The processor as Go and releases name it: `amd64`, `arm64`. */
export function releaseArch(workshop: Workshop): string {
  return workshop.arch === 'x64' ? 'amd64' : workshop.arch;
}

/** The first executable of this name in PATH, or null. */
export async function findInPath(command: string, env: Workshop['env']): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, command);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  return null;
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** What is kept of a program's output for its error message. */
const LAST_LINES = 12;

function run(argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  const [command, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      timeout: options.timeoutSeconds * 1000,
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        options.onLine?.(line);
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`no ${command} in PATH`) : error);
    });
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(lines.join('\n'));
      const how = signal === null ? `exit ${code}` : `ended by ${signal} (limit ${options.timeoutSeconds} s)`;
      reject(new Error([`${argv.join(' ')}: ${how}`, ...lines.slice(-LAST_LINES)].join('\n')));
    });
  });
}
