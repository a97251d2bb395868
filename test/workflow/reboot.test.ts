import { afterEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import { serverSpec } from '../support/server-spec.js';
import { Rig, untilCancelled } from './rig.js';
import { World, type BootBehaviour } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

interface Row {
  /** What the machine does with the reboots it is asked for. */
  readonly behaviours: readonly BootBehaviour[];
  readonly kind: string;
  readonly outcome: Outcome;
  readonly undoReboots: number;
  readonly powerCycles: number;
}

const ROWS: readonly Row[] = [
  { behaviours: ['falls-back'], kind: 'fell-back', outcome: 'restored', undoReboots: 1, powerCycles: 0 },
  { behaviours: ['hangs'], kind: 'fell-back', outcome: 'restored', undoReboots: 1, powerCycles: 1 },
  { behaviours: ['never-leaves'], kind: 'never-left', outcome: 'restored', undoReboots: 0, powerCycles: 0 },
  { behaviours: ['same-boot'], kind: 'same-boot', outcome: 'restored', undoReboots: 0, powerCycles: 0 },
  { behaviours: ['other-entry'], kind: 'other-entry', outcome: 'restored', undoReboots: 1, powerCycles: 0 },
  { behaviours: ['generated-default'], kind: 'other-entry', outcome: 'restored', undoReboots: 1, powerCycles: 0 },
  { behaviours: ['flaps'], kind: 'flapping', outcome: 'restored', undoReboots: 1, powerCycles: 0 },
];

describe('every way a reboot can end', () => {
  for (const row of ROWS) {
    it(`${row.behaviours.join(', ')} is ${row.kind} and ends ${row.outcome}`, async () => {
      const world = new World();
      world.behaviours = [...row.behaviours];
      rig = await Rig.start(world);
      await rig.approve();
      const { closed, status } = await rig.end();
      expect(closed).toBe('failed');
      expect(status.outcome).toBe(row.outcome);
      expect(status.failure).toMatchObject({ type: 'BootFailed', message: expect.stringContaining(`: ${row.kind}.`) });
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: row.undoReboots, powerCycles: row.powerCycles });
      expect(world).toMatchObject({
        entry: 'default',
        committed: false,
        cordoned: false,
        fence: null,
        powerCycles: row.powerCycles,
      });
      expect([...world.staged].filter((name) => name.startsWith('isolation.write'))).toEqual([]);
    });
  }

  it('another host key stops the run and touches nothing until a person resumes', async () => {
    const world = new World();
    world.behaviours = ['foreign-key'];
    rig = await Rig.start(world);
    await rig.approve();
    const { question, outcome, instructions } = await rig.leapUntilAsked('needs-hands');
    expect(outcome).toBe('needs-hands');
    expect(question?.text).toContain('SHA256:new, pinned SHA256:old');
    expect(instructions.join('\n')).toContain('gpu-provision resume h100-01');
    expect(world.calls).not.toContain('bmc.power-cycle');
    expect(world.calls.filter((name) => name.endsWith('.undo'))).toEqual([]);
    world.keyMatches = true;
    await rig.update('resume', { gate: 'needs-hands', reason: 'key of the reinstalled sshd pinned' });
    expect((await rig.end()).status.outcome).toBe('restored');
  });

  it('a bastion that is away says nothing about the host, which is not power-cycled; a person resumes when it is back', async () => {
    const world = new World();
    world.behaviours = ['hangs'];
    const away = { type: 'BastionUnreachable' } as const;
    world.faults = ['reboot.look', 'bmc.graceful-restart', 'bmc.power-cycle'].map((at) => ({ at, ...away }));
    rig = await Rig.start(world);
    await rig.approve();
    const { question, outcome } = await rig.leapUntilAsked('needs-hands');
    expect(outcome).toBe('needs-hands');
    expect(question?.text).toContain('injected into reboot.look');
    expect(world.powerCycles).toBe(0);
    world.faults = [];
    await rig.update('resume', { gate: 'needs-hands', reason: 'the bastion is back' });
    expect((await rig.end()).status).toMatchObject({ outcome: 'restored', counts: { powerCycles: 1 } });
  });

  it('a host that stays dead needs hands after the power cycles that were approved, and not one more', async () => {
    const world = new World();
    world.behaviours = ['dies'];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntilAsked('needs-hands');
    expect(world.powerCycles).toBe(2);
    world.online = true;
    world.entry = 'known-good';
    await rig.signal('resume', { gate: 'needs-hands', reason: 'power supply changed' });
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ powerCycles: 2, entry: 'default' });
  });

  it('a lost answer to a power cycle makes no further one: what nobody knows the end of counts as done', async () => {
    const world = new World();
    world.behaviours = ['dies'];
    world.faults = [{ at: 'bmc.power-cycle', type: 'BmcUnavailable', attempts: 1, withEffect: true }];
    rig = await Rig.start(world);
    await rig.approve();
    const { counts } = await rig.leapUntilAsked('needs-hands');
    expect(world.powerCycles).toBe(2);
    expect(counts.powerCycles).toBe(2);
  });

  it('a power cycle that fails counts, since nobody knows what it did', async () => {
    const world = new World();
    world.behaviours = ['dies'];
    world.faults = [{ at: 'bmc.power-cycle', type: 'BmcUnavailable' }];
    rig = await Rig.start(world);
    await rig.approve();
    const { counts } = await rig.leapUntilAsked('needs-hands');
    expect(counts.powerCycles).toBe(2);
    expect(world.calls.filter((name) => name === 'bmc.power-cycle')).toHaveLength(2);
  });

  it('a power cycle that ended between off and on is one, and the host is turned on again', async () => {
    const world = new World();
    world.behaviours = ['hangs'];
    world.cyclesThatStop = 1;
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'restored', counts: { powerCycles: 1 } });
    expect(world).toMatchObject({ power: 'on', powerCycles: 1 });
  });

  it('a host that is off is turned on, also when every power cycle is used up', async () => {
    const world = new World();
    world.behaviours = ['dies'];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntilAsked('needs-hands');
    world.repairedAndOff();
    await rig.signal('resume', { gate: 'needs-hands', reason: 'power supply changed' });
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ power: 'on', powerCycles: 2, entry: 'default' });
  });

  it('a cancel while the reboot is asked for waits for the host that may be on its way down', async () => {
    const world = new World();
    world.on.set('reboot.request', async () => {
      world.on.delete('reboot.request');
      await rig?.handle.cancel();
      await untilCancelled();
    });
    rig = await Rig.start(world);
    await rig.approve();
    const { closed, status } = await rig.end();
    expect(closed).toBe('cancelled');
    expect(status.reboot).toMatchObject({ requestedAt: expect.any(String), outcome: { kind: 'never-left' } });
    expect(world.calls).toContain('reboot.await-left');
    expect(world).toMatchObject({ entry: 'default', cordoned: false });
  });

  it('a host that refuses to reboot is not waited for', async () => {
    const world = new World();
    world.faults = [{ at: 'reboot.request', type: 'CommandFailed' }];
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'restored', counts: { forwardReboots: 0 } });
    expect(world.calls).not.toContain('reboot.await-left');
  });

  it('verification that fails in the trial boot is undone from there', async () => {
    const world = new World();
    world.faults = [{ at: 'isolation.verify-devices', type: 'IsolationNotVerified' }];
    rig = await Rig.start(world, { story: 'restored' });
    await rig.approve();
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'restored', failure: { type: 'IsolationNotVerified' } });
    expect(world).toMatchObject({ entry: 'default', committed: false, confirmed: false });
  });

  it('verification that holds at first and fails after settling is undone', async () => {
    const world = new World();
    world.faults = [{ at: 'isolation.verify-devices', type: 'IsolationNotVerified', after: 1 }];
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(world.calls.filter((name) => name === 'isolation.verify-devices')).toHaveLength(2);
    expect(world.committed).toBe(false);
  });

  it.each([true, false])(
    'k3s is waited for because it ran before (%s), not because this run installed it',
    async (ran) => {
      const world = new World();
      world.k3sWasThere = ran;
      rig = await Rig.start(world, { phases: ['preflight', 'node-preparation', 'gpu-isolation'] });
      await rig.approve();
      expect((await rig.end()).status.outcome).toBe('provisioned');
      expect(world.calls.includes('k3s.await-node')).toBe(ran);
    },
  );

  it('a k3s that ran before and does not come back is a boot that is undone', async () => {
    const world = new World();
    world.k3sWasThere = true;
    world.faults = [{ at: 'k3s.await-node', type: 'NotReadyYet' }];
    rig = await Rig.start(world, { phases: ['preflight', 'node-preparation', 'gpu-isolation'] });
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('restored');
    expect(world.committed).toBe(false);
  });

  it('a k3s that does not come back is waited for no longer than the proof may take, since the dead-man counts', async () => {
    const world = new World();
    world.k3sWasThere = true;
    const { boot } = serverSpec();
    world.faults = [{ at: 'k3s.await-node', type: 'NotReadyYet' }];
    rig = await Rig.start(world, {
      spec: { boot: { ...boot, verifySeconds: 300 } },
      phases: ['preflight', 'node-preparation', 'gpu-isolation'],
    });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    const at = (kind: string): number => Date.parse(status.events.find((event) => event.kind === kind)?.at ?? '');
    expect((at('undo') - at('verified')) / 1_000).toBeLessThan(310);
  });

  it('a lost answer to the reboot request does not reboot twice', async () => {
    const world = new World();
    world.faults = [{ at: 'reboot.request', type: 'LinkLost', attempts: 1, withEffect: true }];
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(world.reboots).toBe(1);
  });

  it('a dead-man that fires before the confirmation is a boot that fell back: undone, not committed', async () => {
    const world = new World();
    world.faults = [{ at: 'commit.confirm-boot', type: 'CommandFailed' }];
    world.on.set('commit.confirm-boot', () => world.powerCut());
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(world).toMatchObject({ entry: 'default', committed: false });
  });

  it('a default entry that is not what was proven is undone, not committed', async () => {
    const world = new World();
    world.faults = [{ at: 'commit.check-default', type: 'Drifted' }];
    rig = await Rig.start(world);
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('restored');
    expect(world.committed).toBe(false);
  });

  it('a power cut after the proof and before the default is made is undone: the host is not in the boot that was proven', async () => {
    const world = new World();
    world.on.set('commit.make-default', () => {
      world.on.delete('commit.make-default');
      world.powerCut();
    });
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'restored', failure: { type: 'Drifted' } });
    expect(world).toMatchObject({ entry: 'default', committed: false, defaultMade: false });
  });

  it('a commit that fails goes forward only, and waits for a person', async () => {
    const world = new World();
    world.faults = [{ at: 'commit.make-default', type: 'StepNotVerified' }];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntilAsked('needs-hands');
    expect(world).toMatchObject({ confirmed: true, committed: false });
    world.faults = [];
    await rig.update('resume', { gate: 'needs-hands' });
    expect((await rig.end()).status).toMatchObject({ outcome: 'provisioned', failure: null });
  });
});

describe('undo', () => {
  it('an undo that fails for good needs hands, and starts over when resumed', async () => {
    const world = new World();
    world.behaviours = ['falls-back'];
    world.faults = [{ at: 'isolation.write-hook.undo', type: 'CommandFailed' }];
    rig = await Rig.start(world, { story: 'needs-hands' });
    await rig.approve();
    await rig.leapUntilAsked('needs-hands');
    world.faults = [];
    await rig.update('resume', { gate: 'needs-hands' });
    expect((await rig.end()).status.outcome).toBe('restored');
  });

  it('runs in the reverse order of the steps, custom.cfg last of all that GRUB reads', async () => {
    const world = new World();
    world.behaviours = ['falls-back'];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.end();
    const undos = world.calls.filter((name) => name.endsWith('.undo'));
    expect(undos.at(0)).toBe('isolation.publish-trial-entry.undo');
    // The kernel is released, and apt's timers run again, only when everything that decides a boot is back.
    expect(undos.slice(-2)).toEqual(['isolation.publish-known-good-default.undo', 'isolation.hold-kernel.undo']);
    expect(undos.indexOf('isolation.check-saved-images.undo')).toBeGreaterThan(
      undos.indexOf('isolation.write-hook.undo'),
    );
  });

  it('raises the fence before the first undo', async () => {
    const world = new World();
    world.behaviours = ['falls-back'];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.end();
    expect(world.calls.indexOf('restore.take-over')).toBeLessThan(
      world.calls.findIndex((name) => name.endsWith('.undo')),
    );
  });
});
