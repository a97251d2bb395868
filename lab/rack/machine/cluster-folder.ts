/**
 * The folder in which a host's cluster keeps its objects over reboots: used by one k3s at a time, and removed with the host.
 * @module
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class ClusterFolder {
  private path: string | null = null;
  private last: Promise<unknown> = Promise.resolve();

  /** `origin`: what is in it at first. */
  constructor(private readonly origin: string | null = null) {}

  /** Calls `use` when the one before has ended, which after a power cut takes a moment more. */
  async whileUsed<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const before = this.last;
    const done = before
      .catch(() => {})
      .then(async () => {
        this.path ??= await this.make();
        return use(this.path);
      });
    this.last = done;
    return done;
  }

  /** The objects are gone; for whoever uses it. */
  async clear(): Promise<void> {
    if (this.path !== null) await rm(this.path, { recursive: true, force: true });
  }

  /** When nobody uses it any more. False where there never was a cluster. */
  async copyTo(target: string): Promise<boolean> {
    await this.last.catch(() => {});
    const from = this.path ?? this.origin;
    if (from === null) return false;
    await cp(from, target, { recursive: true });
    return true;
  }

  /** When nobody uses it any more. */
  async remove(): Promise<void> {
    await this.last.catch(() => {});
    await this.clear();
    this.path = null;
  }

  private async make(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'gpu-provision-cluster-'));
    if (this.origin !== null) await cp(this.origin, path, { recursive: true });
    return path;
  }
}
