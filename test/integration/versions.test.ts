/**
 * Worker versions on a real Temporal server: what a new version of the workers does to runs that are under way.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { connectProvision, type ProvisionClient } from '../../src/client.js';
import type { RunStatus } from '../../src/domain/run/messages.js';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import { pinned } from '../../src/worker-version.js';
import { ProvisionRun, story } from '../support/provision-run.js';
import { serve } from '../support/serve.js';
import { serverSpec } from '../support/server-spec.js';
import { World } from '../workflow/world.js';

const POLL = { timeout: 60_000, interval: 200 };
let connection: Connection;
let native: NativeConnection;
let operator: ProvisionClient;
beforeAll(async () => {
  const address = inject('temporalAddress');
  connection = await Connection.connect({ address });
  native = await NativeConnection.connect({ address });
  operator = await connectProvision({ address, env: {} });
});
afterAll(async () => {
  await operator.close();
  await native.close();
  await connection.close();
});

/** Nobody waits here for a host that settles. */
const SOON: ServerSpec['boot'] = { ...serverSpec().boot, deadManSeconds: 20, settleSeconds: 1, verifySeconds: 18 };

/** A deployment of its own, whose workers have a modelled host each. */
class Fleet {
  readonly site = `site-${randomUUID().slice(0, 8)}`;
  readonly deployment = `workers-${this.site}`;
  private readonly stops: (() => Promise<void>)[] = [];

  async serve(buildId: string): Promise<World> {
    const world = new World();
    const version = { workerDeploymentOptions: pinned(this.deployment, buildId) };
    this.stops.push(await serve(native, this.site, world.activities(), 1_000, version));
    return world;
  }

  async makeCurrent(buildId: string): Promise<void> {
    // The server knows a version once its workers have polled.
    await vi.waitFor(() => operator.setCurrentVersion(this.deployment, buildId), POLL);
  }

  async begin(name: string): Promise<{ run: ProvisionRun; handle: WorkflowHandle }> {
    const handle = await new Client({ connection }).workflow.start('provisionServer', {
      workflowId: `provision/${this.site}/${name}`,
      taskQueue: this.site,
      args: [{ spec: serverSpec({ name, site: this.site, boot: SOON }), phases: PHASE_NAMES, startedBy: 'op-b@ops2' }],
    });
    return { run: new ProvisionRun(handle, { lookEveryMs: 100, limitMs: 30_000 }), handle };
  }

  async stop(): Promise<void> {
    await Promise.all(this.stops.map((stop) => stop()));
  }
}

const finished = async (run: ProvisionRun): Promise<RunStatus> => {
  await run.approve();
  const status = await run.end();
  expect(status.outcome, story(status)).toBe('provisioned');
  return status;
};

it('a run that is under way stays with the version that began it; new runs go to the one that is current', async () => {
  const fleet = new Fleet();
  try {
    const first = await fleet.serve('1');
    await fleet.makeCurrent('1');
    const old = await fleet.begin('h100-01');
    await old.run.untilAsked('reboot');

    const second = await fleet.serve('2');
    await fleet.makeCurrent('2');
    const young = await fleet.begin('h100-02');
    await young.run.untilAsked('reboot');
    await finished(old.run);
    await finished(young.run);
    expect([first.reboots, second.reboots]).toEqual([1, 1]);

    const buildIds = async (handle: WorkflowHandle): Promise<unknown> => {
      const { events = [] } = await handle.fetchHistory();
      const ids = events?.map((event) => event.workflowTaskCompletedEventAttributes?.deploymentVersion?.buildId ?? '');
      return [...new Set(ids?.filter((id) => id !== ''))];
    };
    expect(await buildIds(old.handle)).toEqual(['1']);
    expect(await buildIds(young.handle)).toEqual(['2']);
  } finally {
    await fleet.stop();
  }
});

it('a version that no worker serves is not made current', async () => {
  const fleet = new Fleet();
  try {
    await fleet.serve('1');
    await fleet.makeCurrent('1');
    await expect(operator.setCurrentVersion(fleet.deployment, 'nowhere')).rejects.toMatchObject({ kind: 'refused' });
  } finally {
    await fleet.stop();
  }
});
