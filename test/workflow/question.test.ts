import { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterEach, describe, expect, it } from 'vitest';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function refusal(update: Promise<unknown>): Promise<string> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? '';
    throw error;
  }
  throw new Error('was accepted');
}

const untouched = { reboots: 0, powerCycles: 0, entry: 'default', committed: false, fence: null };

describe('the reboot question', () => {
  it('is answered by a signal as by an update', async () => {
    const world = new World();
    rig = await Rig.start(world);
    const { plan } = await rig.untilAsked();
    await rig.signal('approve', { gate: 'reboot', digest: plan?.digest, by: 'ui' });
    expect((await rig.end()).status.outcome).toBe('provisioned');
  });

  it('rejected: what was staged is taken away and no reboot happened', async () => {
    const world = new World();
    rig = await Rig.start(world, { story: 'rejected' });
    await rig.untilAsked();
    await rig.update('reject', { gate: 'reboot', reason: 'not today', by: 'op-a' });
    const { closed, status } = await rig.end();
    expect(closed).toBe('failed');
    expect(status).toMatchObject({ outcome: 'rejected', failure: { message: 'rejected by op-a: not today' } });
    expect(world).toMatchObject(untouched);
  });

  it('expires after its deadline, reminded in between', async () => {
    const world = new World();
    rig = await Rig.start(world, { story: 'expired' });
    const { status } = await rig.end();
    expect(status.outcome).toBe('expired');
    expect(status.events.filter((e) => e.kind === 'reminder')).toHaveLength(5);
    expect(world).toMatchObject(untouched);
  });

  it('refuses what does not name the digest, names another, or is no decision at all; and says why', async () => {
    const world = new World();
    rig = await Rig.start(world);
    const { plan } = await rig.untilAsked();
    expect(await refusal(rig.update('approve', { gate: 'reboot' }))).toContain(`approve digest ${plan?.digest ?? ''}`);
    expect(await refusal(rig.update('approve', { gate: 'reboot', digest: 'ffff-ffff' }))).toContain(
      'ffff-ffff is not the one',
    );
    expect(await refusal(rig.update('approve', { gate: 'disks', digest: plan?.digest ?? '' }))).toContain(
      '"reboot", not "disks"',
    );
    expect(await refusal(rig.update('resume', { gate: 'reboot' }))).toContain('possible: approve, reject');
    await rig.signal('approve', 'yes');
    const { lastRefusal } = await rig.until((s) => s.lastRefusal !== null);
    expect(lastRefusal).toContain('a decision is an object');
    expect(world.reboots).toBe(0);
  });

  it('does not keep an early decision for later', async () => {
    const world = new World();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.on.set('preflight.check', () => held);
    rig = await Rig.start(world);
    expect(await refusal(rig.update('approve', { gate: 'reboot', digest: '0001-0000' }))).toContain(
      'nothing is being asked now',
    );
    release();
    const { question } = await rig.untilAsked();
    expect(question?.id).toBe('reboot');
  });

  it('answers a repeated decision with the first receipt and a contradiction with a refusal', async () => {
    const world = new World();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.on.set('reboot.arm', () => held);
    rig = await Rig.start(world);
    const first = await rig.approve();
    const digest = first.digest;
    const second = await rig.update('approve', { gate: 'reboot', digest, by: 'op-b' });
    expect(second).toMatchObject({ by: 'op-a@ops1', at: first.at, duplicate: true });
    expect(await refusal(rig.update('reject', { gate: 'reboot', digest }))).toContain(
      'already decided: approved by op-a@ops1',
    );
    release();
    expect((await rig.end()).status.counts.forwardReboots).toBe(1);
  });

  it('is void when the host was rebooted meanwhile, and asked again with a new digest', async () => {
    const world = new World();
    rig = await Rig.start(world);
    const { plan } = await rig.untilAsked();
    world.powerCut();
    await rig.update('approve', { gate: 'reboot', digest: plan?.digest ?? '' });
    const { question } = await rig.untilAsked('reboot#2');
    expect(world.reboots).toBe(0);
    expect(await refusal(rig.update('approve', { gate: 'reboot', digest: plan?.digest ?? '' }))).toContain('is void');
    expect(question?.digest).not.toBe(plan?.digest);
    await rig.update('approve', { gate: 'reboot', digest: question?.digest ?? '' });
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(world.reboots).toBe(1);
  });

  it('keeps a rejection that arrives while the plan is found to have changed', async () => {
    const world = new World();
    rig = await Rig.start(world);
    const { handle } = rig;
    await rig.untilAsked();
    world.on.set('isolation.read-plan', async () => {
      world.on.delete('isolation.read-plan');
      world.generation += 1;
      await handle.signal('reject', { gate: 'reboot', by: 'op-a@ops1' });
    });
    expect((await rig.end()).status.outcome).toBe('rejected');
  });

  it('notices at a reminder that the plan has changed', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec: {} });
    await rig.untilAsked();
    world.generation += 1;
    const { status } = await rig.end();
    expect(status.events.some((e) => e.kind === 'drift')).toBe(true);
    expect(status.outcome).toBe('expired');
    expect(world.reboots).toBe(0);
  });
});

describe('cancel', () => {
  it('while the question is open: staged changes are taken away, no reboot, and the run closes as cancelled', async () => {
    const world = new World();
    rig = await Rig.start(world, { story: 'cancelled' });
    await rig.untilAsked();
    await rig.handle.cancel();
    const { closed, status } = await rig.end();
    expect(closed).toBe('cancelled');
    expect(status).toMatchObject({ outcome: 'restored', failure: { type: 'Cancelled' } });
    expect(world).toMatchObject(untouched);
  });

  it('while the host reboots: waits for it, then undoes', async () => {
    const world = new World();
    world.behaviours = ['hangs'];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.until((s) => s.reboot?.leftAt !== undefined && s.reboot?.leftAt !== null);
    await rig.handle.cancel();
    const { closed, status } = await rig.end();
    expect(closed).toBe('cancelled');
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ entry: 'default', powerCycles: 1, fence: null });
  });

  it('in a later phase: that phase is unwound and isolated GPUs stay isolated', async () => {
    const world = new World();
    world.faults = [{ at: 'kubevirt.await-allocatable', type: 'NotReadyYet' }];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntil(() => world.calls.includes('kubevirt.await-allocatable'));
    await rig.handle.cancel();
    const { closed, status } = await rig.end();
    expect(closed).toBe('cancelled');
    expect(status.outcome).toBe('incomplete');
    expect(world.calls).toContain('kubevirt.permit-gpus.undo');
    expect(world).toMatchObject({ committed: true, entry: 'trial', fence: null });
  });

  it('while a phase is parked: it is unwound as a cancel anywhere else', async () => {
    const world = new World();
    world.faults = [{ at: 'nested.await-nodes', type: 'ClusterConflict' }];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntilAsked('parked:nested-cluster');
    await rig.handle.cancel();
    const { closed, status } = await rig.end();
    expect(closed).toBe('cancelled');
    expect(status).toMatchObject({
      outcome: 'incomplete',
      failure: { type: 'Cancelled', phase: 'nested-cluster' },
      compensations: ['nested.create-cluster', 'nested.create-tenant'],
    });
    expect(world).toMatchObject({ committed: true, entry: 'trial', fence: null });
  });
});

describe('a question that nobody may push past', () => {
  it('a host that goes away before anybody approved is neither rebooted nor power-cycled by undo', async () => {
    const world = new World();
    rig = await Rig.start(world);
    await rig.untilAsked();
    world.online = false;
    await rig.leapUntilAsked('needs-hands');
    expect(world).toMatchObject({ reboots: 0, powerCycles: 0 });
    world.online = true;
    world.powerCut();
    await rig.update('resume', { gate: 'needs-hands' });
    const { status } = await rig.end();
    expect(['restored', 'expired']).toContain(status.outcome);
    expect(world).toMatchObject({ reboots: 0, powerCycles: 0 });
  });
});
