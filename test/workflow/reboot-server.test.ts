/**
 * The reboot of a provisioned server: nothing before the approval, known-good as the default until the entry is proven again, and a host
 * that is safe whenever a person is asked.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_2_WORKFLOW_TYPES } from '../../src/domain/run/messages.js';
import { Rig, SOON, type RigOptions } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const CHANGES = ['isolation.publish-known-good-default', 'isolation.publish-trial-entry', 'reboot.request'];
const PARKED = 'parked:gpu-isolation';

async function start(world: World, options: RigOptions = {}): Promise<Rig> {
  rig = await Rig.start(world, { type: DAY_2_WORKFLOW_TYPES.reboot, ...options });
  return rig;
}

/** As the run found it: the proven entry is the default, the scheduler is back, and the host is free. */
const AS_BEFORE = { defaultMade: true, committed: true, armed: false, cordoned: false, fence: null };

describe('rebooting a provisioned server', () => {
  it('asks, enters the proven entry once with known-good as the default, proves it twice, and makes it the default', async () => {
    const world = new World().provisioned();
    const run = await start(world, { story: 'rebooted' });
    const asked = await run.untilAsked('reboot');
    expect(asked).toMatchObject({ purpose: 'reboot', question: { kind: 'reboot' }, plan: { boots: 'proven' } });
    expect(world.calls.filter((call) => CHANGES.includes(call))).toEqual([]);
    expect(world).toMatchObject({ cordoned: true, defaultMade: true });
    world.on.set('reboot.request', () => expect(world).toMatchObject({ defaultMade: false, armed: true }));
    world.on.set('commit.make-default', () => expect(world).toMatchObject({ defaultMade: false, confirmed: true }));
    await run.approve();
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'completed', outcome: 'rebooted' });
    expect(status).toMatchObject({ counts: { forwardReboots: 1, undoReboots: 0, powerCycles: 0 }, failure: null });
    expect(world).toMatchObject({ ...AS_BEFORE, reboots: 1, entry: 'trial', token: true });
    expect(world.calls.filter((call) => call === 'isolation.verify-devices')).toHaveLength(2);
    expect(world.calls.slice(-3)).toEqual(['commit.close-reboot', 'workloads.uncordon', 'host.release']);
  });

  const refusals = [
    { name: 'rejected', answer: (run: Rig) => run.update('reject', { gate: 'reboot', reason: 'not today' }) },
    { name: 'expired', answer: () => Promise.resolve() },
    { name: 'cancelled', answer: (run: Rig) => run.handle.cancel() },
  ];
  it.each(refusals)('changes nothing when it is $name', async ({ name, answer }) => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('reboot');
    await answer(run);
    const { closed, status } = await run.end();
    expect(name === 'cancelled' ? closed : status.outcome).toBe(name);
    expect(world.calls.filter((call) => CHANGES.includes(call))).toEqual([]);
    expect(world).toMatchObject({ ...AS_BEFORE, reboots: 0 });
  });

  it('is refused before the host is claimed, where a VM runs or nothing was committed', async () => {
    for (const world of [Object.assign(new World().provisioned(), { vms: ['tenant-a/db-0'] }), new World()]) {
      const run = await start(world);
      expect((await run.end()).status.outcome).toBe('refused');
      expect(world.calls).toEqual(['reboot.read-plan']);
      await run.close();
    }
    rig = undefined;
  });

  it('asks anew when the host changed before the answer', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('reboot');
    world.generation += 1;
    await run.approve();
    await run.untilAsked('reboot#2');
    expect(world.reboots).toBe(0);
    await run.approve('reboot#2');
    expect((await run.end()).status.outcome).toBe('rebooted');
  });

  it('that falls back is parked in known-good; resume tries the entry again within what was approved', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back'];
    const run = await start(world);
    await run.approve();
    const asked = await run.leapUntilAsked(PARKED);
    expect(asked.question?.text).toContain('reboot 1: fell-back');
    expect(world).toMatchObject({ entry: 'known-good', defaultMade: false, armed: false, cordoned: true, reboots: 1 });
    await run.update('resume', { gate: PARKED, reason: 'looked at it' });
    const { status } = await run.end();
    expect(status).toMatchObject({
      outcome: 'rebooted',
      failure: null,
      counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 0 },
    });
    expect(world).toMatchObject({ ...AS_BEFORE, entry: 'trial' });
  });

  it('whose proof fails leaves the trial for known-good; given up there, that stays the default and is told', async () => {
    const world = new World().provisioned();
    world.faults = [{ at: 'isolation.verify-devices', type: 'IsolationNotVerified' }];
    const run = await start(world);
    await run.approve();
    await run.leapUntilAsked(PARKED);
    expect(world).toMatchObject({ entry: 'known-good', reboots: 2 });
    await run.update('reject', { gate: PARKED, reason: 'replace the GPU first' });
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'failed', outcome: 'incomplete' });
    expect(status.findings.map(({ area }) => area)).toEqual(['now', 'remains']);
    expect(world).toMatchObject({ entry: 'known-good', defaultMade: false, armed: false, cordoned: true, fence: null });
  });

  it('does not try beyond what was approved', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back', 'falls-back', 'falls-back'];
    const run = await start(world);
    await run.approve();
    for (const id of [PARKED, `${PARKED}#2`, `${PARKED}#3`]) {
      await run.leapUntilAsked(id);
      await run.update('resume', { gate: id });
    }
    const { question } = await run.leapUntilAsked(`${PARKED}#4`);
    expect(question?.text).toContain('used up');
    expect(world).toMatchObject({ reboots: 3, entry: 'known-good', armed: false });
  });

  it('that hangs is in known-good after one power cycle', async () => {
    const world = new World().provisioned();
    world.behaviours = ['hangs'];
    const run = await start(world, { spec: { boot: SOON } });
    await run.approve();
    const asked = await run.leapUntilAsked(PARKED);
    expect(asked.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 1 });
    expect(world).toMatchObject({ online: true, entry: 'known-good' });
  });

  it('waits for hands while the host cannot be reached, and says to choose known-good', async () => {
    const world = new World().provisioned();
    world.behaviours = ['dies'];
    const run = await start(world, { spec: { boot: SOON } });
    await run.approve();
    const { instructions } = await run.leapUntilAsked('needs-hands');
    expect(instructions.join('\n')).toContain('choose "gpu-provision known-good" in the GRUB menu');
    world.repairedAndOff();
    world.powerOn();
    await run.update('resume', { gate: 'needs-hands', reason: 'new power supply' });
    await run.leapUntilAsked(PARKED);
    expect(world).toMatchObject({ online: true, entry: 'known-good' });
  });

  it('that never left is given up as before', async () => {
    const world = new World().provisioned();
    world.behaviours = ['never-leaves'];
    const run = await start(world, { spec: { boot: SOON } });
    await run.approve();
    await run.leapUntilAsked(PARKED);
    await run.update('reject', { gate: PARKED });
    const { status } = await run.end();
    expect(status.outcome).toBe('incomplete');
    expect(status.findings.map(({ text }) => text).join()).toContain('was not rebooted; every file is as it was');
    expect(world).toMatchObject(AS_BEFORE);
  });

  it('is proven where a person booted the entry from the console, without another reboot', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back'];
    const run = await start(world);
    await run.approve();
    await run.leapUntilAsked(PARKED);
    world.powerCut();
    world.entry = 'generated';
    await run.update('resume', { gate: PARKED, reason: 'chose the first entry' });
    expect((await run.end()).status).toMatchObject({ outcome: 'rebooted', counts: { undoReboots: 0 } });
    expect(world).toMatchObject({ ...AS_BEFORE, reboots: 1 });
  });

  it('that is approved is not stopped by a cancel; one that is parked ends', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back'];
    const run = await start(world);
    world.on.set('reboot.arm', async () => {
      world.on.delete('reboot.arm');
      await run.handle.cancel();
    });
    await run.approve();
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'cancelled', outcome: 'incomplete' });
    expect(world).toMatchObject({ reboots: 1, entry: 'known-good', armed: false, fence: null });
  });
});
