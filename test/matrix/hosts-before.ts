/**
 * Hosts as they are when a phase begins. Each is made once, by a run, and many begin from it.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRack, type HostImage } from '../../lab/rack/index.js';
import { PHASES, phaseOf, type PhaseName } from '../../src/domain/run/phases.js';
import { Site, type SiteOptions } from '../integration/rig.js';
import { story } from '../support/provision-run.js';
import { attend } from './attend.js';
import { decidesBoot, hostManifest, type Manifest } from './claims.js';

/** The same for all: a cluster knows its node by it. */
export const HOST_NAME = 'h100-01';
const OFF_LIMIT_MS = 60_000;

export class HostsBefore {
  private readonly images = new Map<PhaseName, Promise<HostImage | null>>();
  private readonly folders: string[] = [];
  private boot: Promise<Manifest> | null = null;

  /** What decides a boot on a fresh host: undoing isolation puts that back, whichever phase changed it. */
  freshBoot(): Promise<Manifest> {
    this.boot ??= readFreshBoot();
    return this.boot;
  }

  /** null: a fresh host is what the phase begins with. */
  get(phase: PhaseName): Promise<HostImage | null> {
    let image = this.images.get(phase);
    if (image === undefined) {
      image = this.make(phase);
      this.images.set(phase, image);
    }
    return image;
  }

  async remove(): Promise<void> {
    await Promise.allSettled(this.images.values());
    for (const folder of this.folders) await rm(folder, { recursive: true });
  }

  private async make(name: PhaseName): Promise<HostImage | null> {
    const { needs } = phaseOf(name);
    const last = PHASES.findLast((phase) => needs.includes(phase.name));
    if (last === undefined) return null;
    const site = await Site.start(optionsOf(await this.get(last.name)));
    try {
      const run = await site.begin(needs);
      const status = await attend(run);
      if (status.outcome !== 'provisioned') throw new Error(`no host to begin ${name} with: ${story(status)}`);
      site.host.gracefulShutdown();
      await site.host.waitFor(({ power }) => power === 'off', 'the end of its shutdown', OFF_LIMIT_MS);
      const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-image-'));
      this.folders.push(folder);
      return await site.host.image(join(folder, 'cluster'));
    } finally {
      await site.close();
    }
  }
}

async function readFreshBoot(): Promise<Manifest> {
  const rack = await startRack({ hosts: [{ name: HOST_NAME }] });
  const manifest = hostManifest({ host: rack.host(HOST_NAME) });
  await rack.close();
  return new Map([...manifest].filter(([path]) => decidesBoot(path)));
}

/** On a machine that is busy with other lanes nothing that is alive runs out of time. */
const BOOT = {
  deadManSeconds: 1_800,
  verifySeconds: 900,
  ladder: { waitSeconds: 300, lookSeconds: 60, gracefulSeconds: 60, powerCycleSeconds: 300 },
} as const;

/** Of a site whose host begins so. */
export function optionsOf(image: HostImage | null): SiteOptions {
  const host = image === null ? { name: HOST_NAME } : { name: HOST_NAME, image };
  return { acceptance: 'all', boot: BOOT, host };
}
