/**
 * Whole runs against a machine that really boots: real Temporal, the worker's own activities, real SSH.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import { inject } from 'vitest';
import { thisMachine } from '../../lab/tools/workshop.js';
import { GPU_ADDRESSES, GPU_ID } from '../../lab/vm/hardware.js';
import { baseImage } from '../../lab/vm/image.js';
import { HOST_NAME, Machine, SERIAL } from '../../lab/vm/machine.js';
import { onHost, untilReachable } from '../../lab/vm/reach.js';
import { hostQueue, watchQueue, type RunStatus } from '../../src/domain/run/messages.js';
import type { PhaseName } from '../../src/domain/run/phases.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import { createActivities, type Activities } from '../../src/worker.js';
import { serverSpec } from '../support/server-spec.js';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

/** The phases that need no download. */
export const ISOLATION: readonly PhaseName[] = ['preflight', 'node-preparation', 'gpu-isolation'];
const LOOK_EVERY_MS = 1_000;

/** A machine on a fresh disk, up, and a worker for its site. */
export class BootSite {
  private constructor(
    readonly machine: Machine,
    readonly spec: ServerSpec,
    private readonly connection: Connection,
    private readonly native: NativeConnection,
    private readonly activities: Activities,
    private readonly running: readonly { worker: Worker; ended: Promise<void> }[],
  ) {}

  static async start(boot: Partial<ServerSpec['boot']> = {}): Promise<BootSite> {
    const workshop = thisMachine();
    const base = await baseImage(workshop);
    const machine = await Machine.create(await mkdtemp(join(tmpdir(), 'gpu-provision-vm-')), base, workshop);
    await machine.powerOn();
    await untilReachable(machine.ssh);
    const spec = bootSpec(machine, boot);
    const address = inject('temporalAddress');
    const connection = await Connection.connect({ address });
    const native = await NativeConnection.connect({ address });
    const activities = createActivities();
    const common = { connection: native, shutdownGraceTime: 100, shutdownForceTime: 10_000 };
    const workers = await Promise.all([
      Worker.create({ ...common, taskQueue: spec.site, workflowBundle: { codePath: inject('workflowBundle') } }),
      Worker.create({ ...common, taskQueue: hostQueue(spec.site), activities: activities.activities }),
      Worker.create({ ...common, taskQueue: watchQueue(spec.site), activities: activities.activities }),
    ]);
    const running = workers.map((worker) => ({ worker, ended: worker.run() }));
    return new BootSite(machine, spec, connection, native, activities, running);
  }

  /** Output of a shell script on the host, as root. */
  sh(script: string): Promise<string> {
    return onHost(this.machine.ssh, script);
  }

  async begin(phases: readonly PhaseName[] = ISOLATION): Promise<BootRun> {
    const handle = await new Client({ connection: this.connection }).workflow.start('provisionServer', {
      workflowId: `provision/${this.spec.name}-${this.spec.site}`,
      taskQueue: this.spec.site,
      args: [{ spec: this.spec, phases, startedBy: 'op-b@ops2' }],
      workflowIdConflictPolicy: 'FAIL',
    });
    return new BootRun(handle);
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

  /** How often a kernel has started, as the serial console saw it. */
  async boots(): Promise<number> {
    return (await this.machine.consoleText()).split('Linux version ').length - 1;
  }

  async close(): Promise<void> {
    for (const { worker } of this.running) worker.shutdown();
    await Promise.all(this.running.map((r) => r.ended));
    await this.activities.close();
    await this.machine.destroy();
    await this.connection.close();
    await this.native.close();
  }
}

function bootSpec(machine: Machine, boot: Partial<ServerSpec['boot']>): ServerSpec {
  const site = `site-${randomUUID().slice(0, 8)}`;
  const base = serverSpec();
  const { host, port, user, key, knownHosts } = machine.ssh;
  return {
    ...base,
    name: HOST_NAME,
    site,
    serial: SERIAL,
    ssh: { host, port, user, key: `file:${key}`, knownHosts },
    bmc: { kind: 'none' },
    gpus: { ...base.gpus, id: GPU_ID, addresses: [...GPU_ADDRESSES] },
    boot: {
      ...base.boot,
      // A boot takes most of a minute, twice that on a busy machine, and the controller confirms after it has settled.
      deadManSeconds: 300,
      settleSeconds: 5,
      ladder: { waitSeconds: 600, lookSeconds: 30, gracefulSeconds: 30, powerCycleSeconds: 300 },
      ...boot,
    },
  };
}

export class BootRun {
  constructor(readonly handle: WorkflowHandle) {}

  status(): Promise<RunStatus> {
    return this.handle.query<RunStatus>('status');
  }

  /** Answers its question as soon as it is asked, and only this one. */
  async approve(id = 'reboot'): Promise<void> {
    for (;;) {
      const status = await this.status();
      const { question } = status;
      if (question !== null) {
        if (question.id !== id) throw new Error(`asked ${question.id}: ${story(status)}`);
        const decision = { gate: id, digest: question.digest, by: 'op-a@ops1', reason: 'test' };
        await this.handle.executeUpdate('approve', { args: [decision] });
        return;
      }
      if (status.outcome !== null) throw new Error(`ended: ${story(status)}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** How it ended, whichever way. Throws when it asks something. */
  async end(): Promise<RunStatus> {
    for (;;) {
      const status = await this.status();
      if (status.question !== null) throw new Error(`asks ${status.question.id}: ${story(status)}`);
      if (status.outcome !== null) break;
      await delay(LOOK_EVERY_MS);
    }
    try {
      await this.handle.result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
    }
    return this.status();
  }
}

/** For messages of failing tests. */
export function story(status: RunStatus): string {
  return [
    `${status.outcome} ${status.failure?.message ?? ''}`,
    ...status.events.map((e) => `${e.at} ${e.kind} ${e.text}`),
  ].join('\n');
}
