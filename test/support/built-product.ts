/**
 * The product as its package has it: compiled, with its workflow bundles, to be run as processes of their own.
 * @module
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../../lab/tools/child.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface WorkerOptions {
  /** `127.0.0.1:7233` of its Temporal server. */
  readonly address: string;
  readonly site: string;
  /** Further words of the command, e.g. `--grace-seconds 1`. */
  readonly words?: readonly string[];
  /** From SIGTERM to SIGKILL. */
  readonly patienceSeconds?: number;
}

export class BuiltProduct {
  private constructor(private readonly folder: string) {}

  /** Type errors are the type check's to report; only whether there is something to run matters here. */
  static async build({
    bundles,
    project = 'tsconfig.build.json',
  }: {
    readonly bundles: boolean;
    readonly project?: string;
  }): Promise<BuiltProduct> {
    // Inside the repository, so that packages are found from there.
    await mkdir(join(ROOT, 'dist'), { recursive: true });
    const product = new BuiltProduct(await mkdtemp(join(ROOT, 'dist', 'test-')));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    await node([tsc, '-p', join(ROOT, project), '--outDir', product.folder]);
    if (bundles) await node([product.path('src/build-workflow-bundle.js')]);
    return product;
  }

  /** Of a compiled file, `src/cli/main.js`. */
  path(file: string): string {
    return join(this.folder, file);
  }

  /** Runs a command without a terminal and with this environment alone; `onLine` sees each line of stderr and may send a signal. */
  async command(
    name: 'main' | 'start-provision',
    words: readonly string[],
    env: Environment,
    onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
  ): Promise<Ended> {
    return this.node([this.path(`src/cli/${name}.js`), ...words], env, onLine);
  }

  /** `gpu-provision worker` as a process of its own, so that it can be killed without warning. */
  startWorker({ address, site, words = [], patienceSeconds }: WorkerOptions): Child {
    return startChild([process.execPath, this.path('src/cli/main.js'), 'worker', '--site', site, ...words], {
      env: { TEMPORAL_ADDRESS: address, XDG_STATE_HOME: this.folder },
      ...(patienceSeconds === undefined ? {} : { patienceSeconds }),
    });
  }

  async node(
    args: readonly string[],
    env: Environment,
    onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
  ): Promise<Ended> {
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    createInterface({ input: child.stderr }).on('line', (line) => {
      err += `${line}\n`;
      onLine(line, (signal) => child.kill(signal));
    });
    return new Promise((resolve) => {
      child.on('close', (exit) => resolve({ exit, out, err }));
    });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

function node(args: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, () => resolve());
  });
}
