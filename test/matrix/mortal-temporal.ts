/**
 * A Temporal server of a lane's own, which is killed and started again on what it had stored.
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

  /** Resolves when it answers again, at the same address. */
  async killAndRestart(): Promise<void> {
    const { address } = this;
    await this.server.kill();
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
