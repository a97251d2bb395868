import { afterEach, describe, expect, it } from 'vitest';
import { stepsOf } from '../../src/domain/run/steps.js';
import { serverSpec } from '../support/server-spec.js';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

describe('phases', () => {
  it('a blocking preflight refuses before anything is touched', async () => {
    const world = new World();
    world.faults = [{ at: 'preflight.check', type: 'Blocked' }];
    rig = await Rig.start(world);
    const { closed, status } = await rig.end();
    expect(closed).toBe('failed');
    expect(status.outcome).toBe('refused');
    expect(world.calls).toEqual(['preflight.check']);
  });

  it('a host that is isolated already needs no question and no reboot', async () => {
    const world = new World();
    world.committed = true;
    world.entry = 'trial';
    rig = await Rig.start(world);
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(world.reboots).toBe(0);
    expect(world.calls).not.toContain('isolation.build-images');
  });

  it('what a terminated run left staged is undone before a new plan is made', async () => {
    const world = new World();
    for (const step of stepsOf('gpu-isolation')) world.staged.add(step.name);
    world.abandonedRun = 'a-run-that-was-terminated';
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(world.calls.indexOf('isolation.write-hook.undo')).toBeLessThan(world.calls.indexOf('isolation.write-hook'));
    expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
  });

  it('a failed phase parks; resume tries it again', async () => {
    const world = new World();
    world.faults = [{ at: 'cozystack.apply-platform', type: 'ClusterConflict' }];
    rig = await Rig.start(world, { story: 'parked-and-resumed' });
    await rig.approve();
    const { question } = await rig.leapUntilAsked('parked:cozystack');
    expect(question?.text).toContain('injected into cozystack.apply-platform');
    world.faults = [];
    await rig.update('resume', { gate: 'parked:cozystack', reason: 'conflict removed' });
    expect((await rig.end()).status.outcome).toBe('provisioned');
  });

  it('a phase that is given up ends incomplete and takes back only what its table says', async () => {
    const world = new World();
    world.faults = [{ at: 'k3s.await-node', type: 'ClusterConflict' }];
    rig = await Rig.start(world, { story: 'given-up' });
    await rig.untilAsked('parked:k3s');
    await rig.update('reject', { gate: 'parked:k3s', by: 'op-a' });
    const { closed, status } = await rig.end();
    expect(closed).toBe('failed');
    expect(status).toMatchObject({ outcome: 'incomplete', failure: { phase: 'k3s', step: 'k3s.await-node' } });
    expect(world.staged.has('k3s.install')).toBe(false);
    expect(world.staged.has('preparation.install-packages')).toBe(true);
    expect(world.fence).toBeNull();
  });

  it('a later phase that is given up leaves the GPUs isolated', async () => {
    const world = new World();
    world.faults = [{ at: 'acceptance.await-job', type: 'AcceptanceFailed' }];
    rig = await Rig.start(world);
    await rig.approve();
    await rig.leapUntilAsked('parked:acceptance');
    await rig.signal('reject', { gate: 'parked:acceptance' });
    expect((await rig.end()).status.outcome).toBe('incomplete');
    expect(world).toMatchObject({ committed: true, entry: 'trial', reboots: 1 });
  });

  const all = { cluster: { ...serverSpec().cluster, acceptance: 'all' as const } };
  const ofAcceptance = ({ calls }: World): readonly string[] => calls.filter((name) => name.startsWith('acceptance.'));

  it('acceptance of all GPUs makes its temporary cluster before the job and removes it after the verdict', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec: all });
    await rig.approve();
    expect((await rig.end()).status).toMatchObject({ outcome: 'provisioned', acceptance: 'all' });
    expect(ofAcceptance(world)).toEqual(stepsOf('acceptance').map(({ name }) => name));
  });

  it('acceptance of nested GPUs knows no temporary cluster', async () => {
    const world = new World();
    rig = await Rig.start(world);
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('provisioned');
    expect(ofAcceptance(world)).toEqual(['acceptance.run-job', 'acceptance.await-job']);
  });

  it('acceptance that is given up takes the temporary cluster away, after the job', async () => {
    const world = new World();
    world.faults = [{ at: 'acceptance.await-job', type: 'AcceptanceFailed' }];
    rig = await Rig.start(world, { spec: all });
    await rig.approve();
    await rig.leapUntilAsked('parked:acceptance');
    await rig.update('reject', { gate: 'parked:acceptance', by: 'op-a' });
    expect((await rig.end()).status.outcome).toBe('incomplete');
    expect(ofAcceptance(world).slice(-2)).toEqual(['acceptance.run-job.undo', 'acceptance.create-cluster.undo']);
    expect(world.staged.has('acceptance.create-cluster')).toBe(false);
  });

  it('a run that is cancelled while its temporary cluster is built takes it away', async () => {
    const world = new World();
    world.on.set('acceptance.await-cluster', async () => void (await rig?.handle.cancel()));
    world.faults = [{ at: 'acceptance.await-cluster', type: 'NotReadyYet' }];
    rig = await Rig.start(world, { spec: all });
    await rig.approve();
    expect((await rig.end()).closed).toBe('cancelled');
    expect(ofAcceptance(world).at(-1)).toBe('acceptance.create-cluster.undo');
    expect(ofAcceptance(world)).not.toContain('acceptance.run-job');
  });

  it('a phase left out is verified where a selected one builds on it, and refused when it is not in place', async () => {
    const world = new World();
    rig = await Rig.start(world, { phases: ['preflight', 'gpu-isolation'] });
    const { status } = await rig.end();
    expect(status.outcome).toBe('refused');
    expect(status.failure?.message).toContain('phase node-preparation was left out, but is not in place');
    expect(world.fence).toBeNull();
  });

  it('runs the selected phases alone when what they need is in place', async () => {
    const world = new World();
    for (const step of stepsOf('node-preparation')) world.staged.add(step.name);
    rig = await Rig.start(world, { phases: ['preflight', 'gpu-isolation'] });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(status.phases.map((p) => p.state)).toEqual([
      'done',
      'skipped',
      'skipped',
      'done',
      'skipped',
      'skipped',
      'skipped',
      'skipped',
    ]);
    expect(world.calls.filter((name) => name.startsWith('k3s'))).toEqual([]);
  });

  it('a lock that cannot be given back does not make a provisioned server a failure; it is told', async () => {
    const world = new World();
    world.faults = [{ at: 'host.release', type: 'HostUnreachable' }];
    rig = await Rig.start(world);
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(status.findings).toContainEqual({ area: 'remains', text: 'host lock: injected into host.release' });
  });

  it('a bug in an activity is retried, and compensates nothing by itself', async () => {
    const world = new World();
    let calls = 0;
    world.on.set('k3s.install', () => {
      calls += 1;
      if (calls < 4) throw new TypeError('undefined is not a function');
    });
    rig = await Rig.start(world);
    await rig.leapUntilAsked('reboot');
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('provisioned');
    expect(calls).toBe(4);
  });
});
