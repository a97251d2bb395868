/**
 * The folder in which a host's cluster keeps its objects over reboots: used by one k3s at a time, and removed with the host.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class ClusterFolder {
  private path: string | null = null;
  private last: Promise<unknown> = Promise.resolve();

  /** Calls `use` when the one before has ended, which after a power cut takes a moment more. */
  async whileUsed<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const before = this.last;
    const done = before
      .catch(() => {})
      .then(async () => {
        this.path ??= await mkdtemp(join(tmpdir(), 'gpu-provision-cluster-'));
        return use(this.path);
      });
    this.last = done;
    return done;
  }

  /** The objects are gone; for whoever uses it. */
  async clear(): Promise<void> {
    if (this.path !== null) await rm(this.path, { recursive: true, force: true });
  }

  /** When nobody uses it any more. */
  async remove(): Promise<void> {
    await this.last.catch(() => {});
    await this.clear();
    this.path = null;
  }
}
