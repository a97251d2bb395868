import { afterEach, describe, expect, it } from 'vitest';
import { serverSpec } from '../support/server-spec.js';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

/** A host that is isolated, on which phase 5 is next. */
function isolatedHost(...disks: readonly string[]): World {
  const world = new World();
  world.committed = true;
  world.entry = 'trial';
  world.disks = [...disks];
  return world;
}

describe('the disk question', () => {
  it('is not asked where the pool is there', async () => {
    const world = isolatedHost();
    rig = await Rig.start(world);
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'provisioned', decisions: [] });
    expect(world.approvals).toEqual([undefined]);
  });

  it('names the disks; the step is told the digest that was approved', async () => {
    const world = isolatedHost('SERIAL-1', 'SERIAL-2');
    rig = await Rig.start(world);
    const { question, phases } = await rig.untilAsked('disks');
    expect(question?.text).toMatch(/gives 2 empty disks .* M 1\.00 TB serial SERIAL-1 .*SERIAL-2 /);
    expect(phases.find((phase) => phase.name === 'cozystack')?.state).toBe('waiting');
    expect(world.staged.has('cozystack.create-pool')).toBe(false);
    await rig.update('approve', { gate: 'disks', digest: question?.digest ?? '' });
    expect((await rig.end()).status.outcome).toBe('provisioned');
    expect(world.approvals).toEqual(['SERIAL-1+SERIAL-2']);
  });

  it('is asked again when a disk was swapped between answer and act, and the old digest is void', async () => {
    const world = isolatedHost('SERIAL-1');
    rig = await Rig.start(world);
    const { question } = await rig.untilAsked('disks');
    world.disks = ['SERIAL-9'];
    await rig.update('approve', { gate: 'disks', digest: question?.digest ?? '' });
    const again = await rig.untilAsked('disks#2');
    expect(again.question?.text).toContain('SERIAL-9');
    expect(world.approvals).toEqual([]);
    await expect(rig.update('approve', { gate: 'disks', digest: 'SERIAL-1' })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('digest SERIAL-1 is void: the disks changed') },
    });
    await rig.update('approve', { gate: 'disks', digest: 'SERIAL-9' });
    expect((await rig.end()).status.outcome).toBe('provisioned');
    expect(world.approvals).toEqual(['SERIAL-9']);
  });

  it.each<[string, (r: Rig) => Promise<unknown>, RegExp]>([
    ['rejected', (r) => r.update('reject', { gate: 'disks', by: 'op-a', reason: 'wrong bay' }), /op-a: wrong bay/],
    ['never answered', () => Promise.resolve(), /nobody decided "disks" in time/],
  ])('%s: no disk is touched, the phase parks, and trying again asks again', async (_, answer, why) => {
    const world = isolatedHost('SERIAL-1');
    const boot = { ...serverSpec().boot, approvalExpiresSeconds: 600, approvalReminderSeconds: 300 };
    rig = await Rig.start(world, { spec: { boot } });
    await rig.untilAsked('disks');
    await answer(rig);
    expect((await rig.leapUntilAsked('parked:cozystack')).question?.text).toMatch(why);
    expect(world.approvals).toEqual([]);
    await rig.update('resume', { gate: 'parked:cozystack' });
    await rig.untilAsked('disks#2');
    await rig.update('approve', { gate: 'disks#2', digest: 'SERIAL-1' });
    expect((await rig.end()).status.outcome).toBe('provisioned');
  });

  it('a pool that was made stays and is listed when the phase is given up', async () => {
    const world = isolatedHost('SERIAL-1');
    world.faults = [{ at: 'cozystack.await-releases', type: 'ClusterConflict' }];
    rig = await Rig.start(world);
    await rig.untilAsked('disks');
    await rig.update('approve', { gate: 'disks', digest: 'SERIAL-1' });
    await rig.leapUntilAsked('parked:cozystack');
    await rig.update('reject', { gate: 'parked:cozystack' });
    const { status } = await rig.end();
    expect(status.outcome).toBe('incomplete');
    expect(world.staged.has('cozystack.create-pool')).toBe(true);
    expect(world.calls).not.toContain('cozystack.create-pool.undo');
    expect(status.findings).toContainEqual({
      area: 'storage',
      text: 'cozystack.create-pool: made by this run, and kept',
    });
  });
});
