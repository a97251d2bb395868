/**
 * The worker of a site, as a process that comes and goes.
 * @module
 */
import type { Child, ChildExit } from '../../../lab/tools/child.js';
import type { BuiltProduct, WorkerOptions } from '../../support/built-product.js';

export class WorkerProcess {
  private child: Child;

  constructor(
    private readonly product: BuiltProduct,
    private readonly options: WorkerOptions,
  ) {
    this.child = product.startWorker(options);
  }

  /** After it has ended. */
  start(): void {
    this.child = this.product.startWorker(this.options);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }

  /** SIGTERM. */
  async stop(): Promise<ChildExit> {
    await this.child.stop();
    return this.child.exited;
  }
}
