/**
 * Worker processes of a site, one after the other: whenever one is killed, the next begins.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from '../../lab/tools/child.js';
import { BuiltProduct } from '../support/built-product.js';

/** Compiled once for all lanes of a process. */
let built: Promise<BuiltProduct> | null = null;
export async function removeBuiltWorker(): Promise<void> {
  await (await built)?.remove();
}

export class MortalWorkers {
  private stopped = false;
  private child: Child | null = null;

  private constructor(
    private readonly argv: readonly [string, ...string[]],
    private readonly address: string,
    private readonly marks: string,
  ) {}

  /** Killed at each of the steps. `codePath` is the workflow bundle. */
  static async start(
    address: string,
    site: string,
    codePath: string,
    steps: readonly string[],
  ): Promise<MortalWorkers> {
    built ??= BuiltProduct.build({ bundles: false, project: 'test/matrix/tsconfig.json' });
    const program = (await built).path('test/matrix/mortal-worker.js');
    const marks = await mkdtemp(join(tmpdir(), 'gpu-provision-marks-'));
    const workers = new MortalWorkers([process.execPath, program, site, codePath, marks, ...steps], address, marks);
    workers.next();
    return workers;
  }

  /** Whether one was killed at this step. */
  wasKilledAt(step: string): boolean {
    return existsSync(join(this.marks, step));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.child?.stop();
    await rm(this.marks, { recursive: true });
  }

  private next(): void {
    const child = startChild(this.argv, { env: { TEMPORAL_ADDRESS: this.address } });
    this.child = child;
    void child.exited.then(({ signal }) => {
      if (this.stopped) return;
      // One that ends by itself would do so again.
      if (signal === null) console.error(`the worker ended: ${child.output()}`);
      else this.next();
    });
  }
}
