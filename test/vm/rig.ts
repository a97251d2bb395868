/**
 * Whole runs against a machine that really boots: real Temporal, the worker's own activities, real SSH, and, if asked for, a BMC.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { inject } from 'vitest';
import { withLock } from '../../lab/tools/lock.js';
import { thisMachine } from '../../lab/tools/workshop.js';
import { GPU_ADDRESSES, GPU_ID, type Hardware } from '../../lab/vm/hardware.js';
import { baseImage } from '../../lab/vm/image.js';
import { HOST_NAME, Machine, SERIAL, type Checkpoint } from '../../lab/vm/machine.js';
import { onHost, untilReachable } from '../../lab/vm/reach.js';
import {
  DAY_2_WORKFLOW_TYPES,
  WORKFLOW_QUEUE,
  type ProvisionInput,
  type RunPurpose,
} from '../../src/domain/run/messages.js';
import type { PhaseName } from '../../src/domain/run/phases.js';
import type { BmcSpec, ServerSpec } from '../../src/domain/spec.js';
import { createActivities } from '../../src/worker.js';
import { story } from '../support/provision-run.js';
import { entryOf, type Entry } from '../conformance/scenarios.js';
import { serve } from '../support/serve.js';
import { serverSpec } from '../support/server-spec.js';
import { BootRun } from './run.js';
import { Timeline } from './timeline.js';

/** A machine without KVM answers slowly. */
const FORCE_MS = 10_000;
/** A run may take minutes for one thing: the test's own limit is the patience. */
const PATIENCE = { lookEveryMs: 500, withoutWorkerMs: 120_000 };

/** The phases that need no download. */
const ISOLATION: readonly PhaseName[] = ['preflight', 'node-preparation', 'gpu-isolation'];

export interface SiteOptions {
  /** Of the test: its machine, worker and connections end with it. */
  readonly onTestFinished: (end: () => Promise<void>) => void;
  readonly hardware?: Hardware;
  /** A machine as its disk was made, booted for this test, instead of one on which phase 2 has been done already. */
  readonly fresh?: boolean;
  readonly boot?: Partial<ServerSpec['boot']>;
  readonly bmc?: (machine: Machine) => Promise<{ readonly spec: BmcSpec; close(): Promise<void> }>;
  /** Called after an activity has had its effect, before Temporal knows. */
  readonly after?: (activity: string, site: BootSite) => Promise<void>;
  /** No worker in this process: the test starts its own. */
  readonly ownWorker?: boolean;
}

/** A machine on a fresh disk, up, and a worker for its site. Gone when the test is. */
export class BootSite {
  readonly timeline: Timeline;

  private constructor(
    readonly machine: Machine,
    readonly spec: ServerSpec,
    private readonly client: Client,
    private readonly queue: string,
  ) {
    this.timeline = new Timeline(machine);
  }

  static async start(options: SiteOptions): Promise<BootSite> {
    const { onTestFinished, hardware = { firmware: 'bios' }, fresh = false } = options;
    const workshop = thisMachine();
    const folder = await mkdtemp(join(inject('vmFolder'), 'machine-'));
    const machine = fresh
      ? await Machine.create(folder, await baseImage(workshop), workshop, hardware, 'ours')
      : await Machine.from(await prepared(hardware), folder, workshop, 'ours');
    onTestFinished(() => machine.destroy());
    await machine.powerOn();
    const bmc = await options.bmc?.(machine);
    if (bmc !== undefined) onTestFinished(() => bmc.close());
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    onTestFinished(() => connection.close());
    const spec = bootSpec(machine, bmc?.spec ?? { kind: 'none' }, options.boot ?? {});
    const queue = options.ownWorker === true ? WORKFLOW_QUEUE : spec.site;
    const site = new BootSite(machine, spec, new Client({ connection }), queue);
    onTestFinished(() => site.timeline.stop());
    if (options.ownWorker !== true) await startWorker(site, options);
    await untilReachable(machine.ssh);
    if (!fresh) await site.sh(`date -s @${Math.round(Date.now() / 1_000)}`);
    return site;
  }

  /** Output of a shell script on the host, as root. */
  sh(script: string): Promise<string> {
    return onHost(this.machine.ssh, script);
  }

  begin(phases: readonly PhaseName[] = ISOLATION): Promise<BootRun> {
    return this.beginOf('provisionServer', { phases });
  }

  beginDay2(purpose: RunPurpose): Promise<BootRun> {
    return this.beginOf(DAY_2_WORKFLOW_TYPES[purpose], {});
  }

  private async beginOf(type: string, input: Partial<ProvisionInput>): Promise<BootRun> {
    const handle = await this.client.workflow.start(type, {
      workflowId: `provision/${this.spec.name}-${this.spec.site}`,
      taskQueue: this.queue,
      args: [{ spec: this.spec, startedBy: 'op-b@ops2', ...input }],
      workflowIdConflictPolicy: 'FAIL',
    });
    return new BootRun(handle, PATIENCE);
  }

  /** Driver by address, null for none. */
  async drivers(): Promise<ReadonlyMap<string, string | null>> {
    const out = await this.sh(
      `for address in ${GPU_ADDRESSES.join(' ')}; do
        echo "$address $(basename "$(readlink /sys/bus/pci/devices/$address/driver || echo none)")"
      done`,
    );
    const lines = out.trim().split('\n');
    return new Map(
      lines.map((line) => {
        const [address = '', driver] = line.split(' ');
        return [address, driver === 'none' ? null : (driver ?? null)];
      }),
    );
  }

  /** Type, mode, owner, hash and path of everything below /etc, /boot and /usr/local. */
  async snapshot(): Promise<readonly string[]> {
    const out = await this.sh(
      `find /etc /boot /usr/local ! -type f -printf '%y %m %U:%G %l %p\\n'
       find /etc /boot /usr/local -type f -printf 'f %m %U:%G ' -exec sha256sum {} ';'`,
    );
    return out.trim().split('\n').toSorted();
  }
}

/** Drivers of a machine whose GPUs are all on this one. */
export const on = (driver: string): ReadonlyMap<string, string> =>
  new Map(GPU_ADDRESSES.map((address) => [address, driver]));

/** What each kernel of the machine was started from, in order. */
export const entries = ({ timeline }: BootSite): readonly Entry[] =>
  timeline.boots.map(({ commandLine }) => entryOf(commandLine));

/** A running machine on which phases 1 and 2 are done, made by the first test of this session that needs it. */
async function prepared(hardware: Hardware): Promise<Checkpoint> {
  const folder = join(inject('vmFolder'), hardware.firmware);
  const wait = (): void => undefined;
  return withLock(`${folder}.lock`, wait, async () => {
    const made = await readFile(`${folder}.json`, 'utf8').catch(() => null);
    if (made !== null) return JSON.parse(made) as Checkpoint;
    const ends: (() => Promise<void>)[] = [];
    try {
      const site = await BootSite.start({ onTestFinished: (end) => ends.push(end), hardware, fresh: true });
      const status = await (await site.begin(['preflight', 'node-preparation'])).end();
      if (status.outcome !== 'provisioned') throw new Error(story(status));
      const checkpoint = await site.machine.checkpoint(folder, thisMachine());
      await writeFile(`${folder}.json`, JSON.stringify(checkpoint));
      return checkpoint;
    } finally {
      for (const end of ends.toReversed()) await end();
    }
  });
}

async function startWorker(site: BootSite, { after, onTestFinished }: SiteOptions): Promise<void> {
  const native = await NativeConnection.connect({ address: inject('temporalAddress') });
  const { activities, close } = createActivities();
  const observed = Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => {
      const body = activity as (input: unknown) => Promise<unknown>;
      return [
        name,
        async (input: unknown): Promise<unknown> => {
          const result = await body(input);
          await after?.(name, site);
          return result;
        },
      ];
    }),
  );
  const stop = await serve(native, site.spec.site, observed, FORCE_MS);
  onTestFinished(async () => {
    await stop();
    await close();
    await native.close();
  });
}

function bootSpec(machine: Machine, bmc: BmcSpec, boot: Partial<ServerSpec['boot']>): ServerSpec {
  const base = serverSpec();
  const { host, port, user, key, knownHosts } = machine.ssh;
  return {
    ...base,
    name: HOST_NAME,
    site: `site-${randomUUID().slice(0, 8)}`,
    serial: SERIAL,
    ssh: { host, port, user, key: `file:${key}`, knownHosts },
    bmc,
    gpus: { ...base.gpus, id: GPU_ID, addresses: [...GPU_ADDRESSES] },
    boot: {
      ...base.boot,
      // A boot takes up to a minute on a busy machine, and the controller confirms after it has settled.
      deadManSeconds: 300,
      settleSeconds: 5,
      verifySeconds: 200,
      ladder: { waitSeconds: 600, lookSeconds: 30, gracefulSeconds: 30, powerCycleSeconds: 300 },
      ...boot,
    },
  };
}
