/**
 * A newer kernel on a provisioned server: nothing before the approval, known-good as the default before anything is installed, and whatever
 * fails ends without that kernel, in the entry that was proven, or waits for a person.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_2_WORKFLOW_TYPES } from '../../src/domain/run/messages.js';
import { Rig, SOON, untilCancelled, type RigOptions } from './rig.js';
import { World, type BootBehaviour, type Fault } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const CHANGES = ['isolation.publish-known-good-default', 'upgrade.install', 'reboot.request'];
const PARKED = 'parked:gpu-isolation';

async function start(world: World, options: RigOptions = {}): Promise<Rig> {
  rig = await Rig.start(world, { type: DAY_2_WORKFLOW_TYPES['upgrade-kernel'], ...options });
  return rig;
}

/** The proven entry is the default, the scheduler is back, and the host is free. */
const AS_BEFORE = { defaultMade: true, committed: true, armed: false, cordoned: false, fence: null, installing: false };
const NEW = '6.8.0-62-generic';
const OLD = '6.8.0-60-generic';

describe('upgrading the kernel of a provisioned server', () => {
  it('asks, makes known-good the default, installs, boots it once, proves it, and commits it', async () => {
    const world = new World().provisioned();
    const run = await start(world, { story: 'upgraded' });
    const asked = await run.untilAsked('reboot');
    expect(asked).toMatchObject({
      purpose: 'upgrade-kernel',
      plan: { boots: 'kernel', upgrade: { from: OLD, to: NEW } },
    });
    expect(asked.question?.text).toContain(`installs kernel ${NEW} beside ${OLD}, 1 packages, and boots it once`);
    expect(world.calls.filter((call) => CHANGES.includes(call))).toEqual([]);
    world.on.set('upgrade.install', () =>
      expect(world).toMatchObject({ defaultMade: false, entry: 'trial', reboots: 0 }),
    );
    world.on.set('commit.make-default', () => expect(world).toMatchObject({ defaultMade: false, confirmed: true }));
    await run.approve();
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'completed', outcome: 'upgraded' });
    expect(status).toMatchObject({ counts: { forwardReboots: 1, undoReboots: 0, powerCycles: 0 }, failure: null });
    expect(world).toMatchObject({ ...AS_BEFORE, reboots: 1, entry: 'trial', runsNewKernel: true, kernels: [NEW] });
    expect(world.calls.filter((call) => call === 'isolation.verify-devices')).toHaveLength(2);
    expect(world.calls.slice(-3)).toEqual(['commit.close-upgrade', 'workloads.uncordon', 'host.release']);
  });

  it('is refused where there is no newer kernel, and the node is not even cordoned', async () => {
    const world = Object.assign(new World().provisioned(), { kernels: [NEW] });
    const run = await start(world);
    const { status } = await run.end();
    expect(status.outcome).toBe('refused');
    expect(status.failure?.message).toContain('nothing to upgrade');
    expect(world.calls).toEqual([
      'upgrade.look',
      'preparation.claim-host',
      'upgrade.update-lists',
      'upgrade.read-plan',
      'host.release',
    ]);
    expect(world).toMatchObject({ ...AS_BEFORE, reboots: 0 });
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

  interface Failing {
    readonly name: string;
    readonly behaviours?: readonly BootBehaviour[];
    readonly faults?: readonly Fault[];
    readonly counts: { readonly forwardReboots: number; readonly undoReboots: number; readonly powerCycles: number };
    readonly says: string;
  }
  const failures: readonly Failing[] = [
    {
      name: 'apt fails half-way',
      faults: [{ at: 'upgrade.install', type: 'CommandFailed', withEffect: true }],
      counts: { forwardReboots: 0, undoReboots: 0, powerCycles: 0 },
      says: 'injected into upgrade.install',
    },
    {
      name: 'the new image is not what was asked for',
      faults: [{ at: 'upgrade.inspect', type: 'StepNotVerified' }],
      counts: { forwardReboots: 0, undoReboots: 0, powerCycles: 0 },
      says: 'injected into upgrade.inspect',
    },
    {
      name: 'the trial entry cannot be published',
      faults: [{ at: 'isolation.publish-trial-entry', type: 'StepNotVerified' }],
      counts: { forwardReboots: 0, undoReboots: 0, powerCycles: 0 },
      says: 'injected into isolation.publish-trial-entry',
    },
    {
      name: 'the new kernel falls back',
      behaviours: ['falls-back'],
      counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 0 },
      says: 'reboot 1: fell-back',
    },
    {
      name: 'the new kernel hangs',
      behaviours: ['hangs'],
      counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 1 },
      says: 'reboot 1: fell-back',
    },
    {
      name: 'another kernel runs',
      faults: [{ at: 'upgrade.check-kernel', type: 'BootFailed' }],
      counts: { forwardReboots: 1, undoReboots: 2, powerCycles: 0 },
      says: 'injected into upgrade.check-kernel',
    },
    {
      name: 'a GPU is on another driver',
      faults: [{ at: 'isolation.verify-devices', type: 'IsolationNotVerified', attempts: 1 }],
      counts: { forwardReboots: 1, undoReboots: 2, powerCycles: 0 },
      says: 'injected into isolation.verify-devices',
    },
    {
      name: 'a person booted it from the menu, past the trial',
      behaviours: ['generated-default'],
      counts: { forwardReboots: 1, undoReboots: 2, powerCycles: 0 },
      says: 'reboot 1: other-entry',
    },
  ];
  it.each(failures)('takes the kernel away and is back in the proven entry when $name', async (failing) => {
    const world = new World().provisioned();
    world.behaviours = [...(failing.behaviours ?? [])];
    world.faults = [...(failing.faults ?? [])];
    const told = failing.name === 'the new kernel falls back' ? { story: 'upgrade-restored' } : {};
    const run = await start(world, { spec: { boot: SOON }, ...told });
    // The fault is of what was tried, not of the way back.
    world.on.set('upgrade.remove', () => {
      expect(world.runsNewKernel).toBe(false);
      world.faults = [];
    });
    await run.approve();
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'failed', outcome: 'restored' });
    expect(status.failure?.message).toContain(failing.says);
    expect(status.counts).toEqual(failing.counts);
    expect(status.compensations).toEqual(['upgrade.install']);
    expect(world).toMatchObject({ ...AS_BEFORE, entry: 'trial', runsNewKernel: false, kernels: [OLD, NEW] });
    // Proven where it is now, whether or not it was left.
    expect(world.calls.slice(-5)).toEqual([
      'commit.check-default',
      'commit.make-default',
      'commit.close-reboot',
      'workloads.uncordon',
      'host.release',
    ]);
  });

  // Of the steps before and after the reboot; a reboot that was asked for is waited for.
  const MOMENTS = ['upgrade.install', 'isolation.write-dead-man', 'reboot.arm', 'commit.confirm-boot'];
  it.each(MOMENTS)('takes it away after a cancel during %s as after a failure', async (at) => {
    const world = new World().provisioned();
    const run = await start(world);
    world.on.set(at, async () => {
      world.on.delete(at);
      // What apt has begun is there, whatever ends the activity.
      world.installing ||= at === 'upgrade.install';
      await run.handle.cancel();
      await untilCancelled();
    });
    await run.approve();
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'cancelled', outcome: 'restored' });
    expect(world).toMatchObject({ ...AS_BEFORE, entry: 'trial', runsNewKernel: false });
  });

  it('that was committed is not taken away by a cancel that comes meanwhile', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    world.on.set('commit.make-default', async () => {
      world.on.delete('commit.make-default');
      await run.handle.cancel();
    });
    await run.approve();
    const { status } = await run.end();
    expect(status.outcome).toBe('upgraded');
    expect(world).toMatchObject({ ...AS_BEFORE, runsNewKernel: true, kernels: [NEW] });
  });

  it('waits for hands while the kernel cannot be removed, and goes on', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back'];
    world.faults = [{ at: 'upgrade.remove', type: 'RestoreNotVerified' }];
    const run = await start(world);
    await run.approve();
    const { instructions } = await run.leapUntilAsked('needs-hands');
    expect(instructions.join('\n')).toContain('apt-get purge --allow-change-held-packages linux-image-');
    expect(world).toMatchObject({ entry: 'known-good', defaultMade: false, armed: false, installing: true });
    world.faults = [];
    await run.update('resume', { gate: 'needs-hands', reason: 'dpkg --configure -a' });
    expect((await run.end()).status.outcome).toBe('restored');
    expect(world).toMatchObject({ ...AS_BEFORE, entry: 'trial' });
  });

  it('whose way back fails too is parked in known-good; given up there, that stays the default and is told', async () => {
    const world = new World().provisioned();
    world.behaviours = ['falls-back', 'falls-back'];
    const run = await start(world);
    await run.approve();
    const asked = await run.leapUntilAsked(PARKED);
    expect(asked.question?.text).toContain('reboot 2: fell-back');
    expect(world).toMatchObject({ entry: 'known-good', defaultMade: false, installing: false, armed: false });
    await run.update('reject', { gate: PARKED, reason: 'look at the disk first' });
    const { status } = await run.end();
    expect(status.outcome).toBe('incomplete');
    expect(status.findings.map(({ text }) => text).join()).toContain('the host runs known-good');
    expect(world).toMatchObject({ defaultMade: false, cordoned: true, fence: null });
  });

  it('ends first what a run that is lost has left', async () => {
    const world = new World().provisioned();
    Object.assign(world, { installing: true, defaultMade: false });
    const run = await start(world);
    await run.untilAsked('reboot');
    expect(world.installing).toBe(false);
    await run.approve();
    expect((await run.end()).status.outcome).toBe('upgraded');
  });

  it('ends what a lost run left also where it goes no further, and says so', async () => {
    const world = new World().provisioned();
    Object.assign(world, { installing: true, defaultMade: false, entry: 'known-good' });
    const run = await start(world);
    const { status } = await run.end();
    expect(status.outcome).toBe('incomplete');
    expect(status.findings.map(({ text }) => text).join()).toContain('the upgrade of run run-0 has ended');
    expect(world).toMatchObject({ installing: false, fence: null });
  });
});
