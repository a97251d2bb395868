/**
 * The product's own programs, run as anybody runs them: the worker as a process of its own, and `start-provision` in this terminal.
 * @module
 */
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ProvisionClient } from '../../src/client.js';
import { hostQueue, watchQueue, WORKFLOW_QUEUE } from '../../src/domain/run/messages.js';
import { startChild, type Child } from '../tools/child.js';
import type { DemoFolder } from './folder.js';

export type Env = Readonly<Record<string, string | undefined>>;

/** As the compiler lays them out: this file is dist/lab/demo/programs.js. */
export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const START_PROVISION = fileURLToPath(new URL('../../src/cli/start-provision.js', import.meta.url));

/** Loading the SDK and the workflow bundle takes two seconds, on a busy machine many times that. */
const WORKER_READY_SECONDS = 180;
const POLL_MS = 200;

/** The environment without anybody's Temporal settings, and with the demo's. */
export function demoEnv(address: string, namespace: string, temporalConfig: string): Env {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  return {
    ...clean,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_CONFIG_FILE: temporalConfig,
    // Artifacts and audit record of a simulated rack don't belong among those of real ones.
    XDG_STATE_HOME: dirname(temporalConfig),
  };
}

export interface WorkerProgram {
  /** What stands after `gpu-provision worker`. */
  readonly words: readonly string[];
  /** The one it then serves. */
  readonly site: string;
  readonly env: Env;
  readonly logFile: string;
  /** The compiled command, where it is not beside this file. */
  readonly main?: string;
}

/** Resolves when it polls all its queues. */
export async function startWorker(program: WorkerProgram, client: ProvisionClient): Promise<Child> {
  const { words, site, env, logFile, main = MAIN } = program;
  const worker = startChild([process.execPath, main, 'worker', ...words], { env, logFile });
  let ended = false;
  void worker.exited.then(() => (ended = true));
  const deadline = Date.now() + WORKER_READY_SECONDS * 1_000;
  const queues = [WORKFLOW_QUEUE, hostQueue(site), watchQueue(site)];
  for (;;) {
    const polled = await Promise.all(queues.map((queue) => client.workersPolling(queue)));
    if (polled.every((workers) => workers > 0)) return worker;
    if (ended || Date.now() > deadline) {
      const problem = ended ? 'ended' : `polls not all of its queues after ${WORKER_READY_SECONDS} s`;
      await worker.stop();
      throw new Error(`the worker ${problem}; ${logFile}:\n${worker.output()}`);
    }
    await delay(POLL_MS);
  }
}

/** More than the report of any run has. */
const REPORT_BYTES = 64 * 1024 * 1024;

/** The report of the run that is over, as page and as data. */
export async function writeReport(server: string, folder: DemoFolder, env: Env): Promise<void> {
  const words = [MAIN, 'report', server, '--json', '--html', folder.reportPage];
  const { stdout } = await promisify(execFile)(process.execPath, words, { env, maxBuffer: REPORT_BYTES });
  await writeFile(folder.report, stdout);
}

export interface StartProvision {
  readonly server: string;
  readonly folder: DemoFolder;
  readonly env: Env;
  /** Whether a person at this terminal answers. */
  readonly interactive: boolean;
  /** Keeps stdout free for our own last line. */
  readonly resultsToStderr: boolean;
}

/** Runs to its end; its exit code. Ends when the signal aborts. */
export function runStartProvision(options: StartProvision, signal: AbortSignal): Promise<number> {
  const { server, folder, env, interactive, resultsToStderr } = options;
  return new Promise((resolve, reject) => {
    // In our process group, since it may ask at the terminal.
    const child = spawn(process.execPath, [START_PROVISION, '--server', server, '--inventory', folder.inventory], {
      stdio: [interactive ? 'inherit' : 'ignore', resultsToStderr ? 2 : 'inherit', 'inherit'],
      env,
    });
    const end = (): void => void child.kill();
    process.once('exit', end);
    signal.addEventListener('abort', end, { once: true });
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('exit', end);
      signal.removeEventListener('abort', end);
      if (code === null) reject(new Error('start-provision was ended by a signal'));
      else resolve(code);
    });
  });
}
