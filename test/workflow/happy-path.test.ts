import { afterEach, describe, expect, it } from 'vitest';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

describe('a run without faults', () => {
  it('asks once, reboots once, and ends provisioned', async () => {
    const world = new World();
    rig = await Rig.start(world, { story: 'provisioned' });
    const asked = await rig.untilAsked();
    expect(world.reboots).toBe(0);
    expect(asked.question?.id).toBe('reboot');
    const receipt = await rig.approve();
    expect(receipt).toMatchObject({ choice: 'approve', by: 'op-a@ops1', duplicate: false });
    const { closed, status } = await rig.end();
    expect(closed).toBe('completed');
    expect(status.outcome).toBe('provisioned');
    expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
    expect(status.phases.map((p) => p.state)).toEqual(Array.from({ length: 8 }, () => 'done'));
    expect(world).toMatchObject({ reboots: 1, committed: true, confirmed: true, cordoned: false, fence: null });
  });
});
