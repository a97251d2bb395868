/**
 * A Temporal server of its own for whoever kills it: it starts again on what it had stored, at the same address.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';

export class MortalTemporal {
  private constructor(
    private readonly folder: string,
    private server: TemporalServer,
  ) {}

  static async start(): Promise<MortalTemporal> {
    const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-temporal-'));
    return new MortalTemporal(folder, await startTemporal({ dbFile: join(folder, 'temporal.db') }));
  }

  get address(): string {
    return this.server.address;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.server.kill();
  }

  /** Resolves when it answers again. */
  async startAgain(): Promise<void> {
    const { address } = this;
    this.server = await startTemporal({
      dbFile: join(this.folder, 'temporal.db'),
      port: Number(address.split(':')[1]),
    });
    if (this.address !== address) throw new Error(`another process took ${address} while Temporal was down`);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true });
  }
}
