/**
 * The built product, a Temporal that keeps its runs in a file, and sites that are served by processes.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { BuiltProduct } from '../../support/built-product.js';
import { MortalTemporal } from '../../support/mortal-temporal.js';
import { Site, type SiteOptions } from '../rig.js';
import { Traveller } from './journey.js';
import type { Journey } from './points.js';
import { TemporalProxy } from './temporal-proxy.js';
import { WorkerProcess } from './worker-process.js';

/** A worker that drains on a busy machine. */
const STOP_SECONDS = 120;
/** Nobody falls back by itself, and nobody is pushed, because a worker was missed. */
const PATIENT = {
  deadManSeconds: 900,
  verifySeconds: 600,
  ladder: { waitSeconds: 600, lookSeconds: 2, gracefulSeconds: 2, powerCycleSeconds: 30 },
};

export class CrashLab {
  private constructor(
    private readonly product: BuiltProduct,
    private readonly temporal: MortalTemporal,
    /** For workers whose calls to Temporal are held. */
    readonly proxy: TemporalProxy,
    private readonly folder: string,
  ) {}

  static async start(): Promise<CrashLab> {
    const [product, temporal] = await Promise.all([BuiltProduct.build({ bundles: true }), MortalTemporal.start()]);
    const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-crashes-'));
    return new CrashLab(product, temporal, await TemporalProxy.start(temporal.address), folder);
  }

  get address(): string {
    return this.temporal.address;
  }

  /** File in which a worker may record its runs. */
  get audit(): string {
    return join(this.folder, 'audit.jsonl');
  }

  /** SIGKILL. */
  async killTemporal(): Promise<void> {
    await this.temporal.kill();
  }

  async startTemporal(): Promise<void> {
    await this.temporal.startAgain();
  }

  /** Gone when the test is; so are the sites. */
  startWorker(site: string, address: string, more: readonly string[] = []): WorkerProcess {
    const words = ['--grace-seconds', '1', ...more];
    const worker = new WorkerProcess(this.product, { site, address, words, patienceSeconds: STOP_SECONDS });
    onTestFinished(async () => void (await worker.stop()));
    return worker;
  }

  async startSite(site: string, options: SiteOptions = {}): Promise<Site> {
    const started = await Site.start({ ...options, served: { address: this.address, site } });
    onTestFinished(() => started.close());
    return started;
  }

  /** A run that has begun. */
  async setOut(journey: Journey, name: string, options: Pick<SiteOptions, 'audit'> = {}): Promise<Traveller> {
    const site = await this.startSite(name, { ...options, faults: journey.faults, boot: PATIENT });
    return new Traveller(journey, site, await site.begin(), this.proxy);
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.temporal.stop();
    await this.product.remove();
    await rm(this.folder, { recursive: true });
  }
}
