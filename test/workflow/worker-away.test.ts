import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { serverSpec } from '../support/server-spec.js';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

describe('a question while no worker is there', () => {
  it('expires while no worker is there to see it', async () => {
    const world = new World();
    const boot = { ...serverSpec().boot, approvalExpiresSeconds: 2 };
    rig = await Rig.start(world, { sticky: false, spec: { boot } });
    const { question } = await rig.untilAsked();
    await rig.stopWorkers();
    // The server skips no time while a workflow waits for a worker, so these two seconds are real.
    await setTimeout(Date.parse(question?.expiresAt ?? '') - (await rig.env.currentTimeMs()));
    await rig.signal('approve', { gate: 'reboot', digest: question?.digest });
    await rig.startWorkers();
    expect((await rig.end()).status.outcome).toBe('expired');
    expect(world).toMatchObject({ reboots: 0, powerCycles: 0, entry: 'default', committed: false, fence: null });
  });

  it('counts an answer that arrived in time, although no worker was there', async () => {
    const world = new World();
    rig = await Rig.start(world, { sticky: false });
    const { plan } = await rig.untilAsked();
    await rig.stopWorkers();
    await rig.signal('approve', { gate: 'reboot', digest: plan?.digest });
    await rig.startWorkers();
    expect((await rig.end()).status.outcome).toBe('provisioned');
  });
});
