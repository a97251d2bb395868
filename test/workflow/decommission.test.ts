/**
 * Giving the GPUs back: nothing before the approval, and after it to the end, whatever the host does.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_2_WORKFLOW_TYPES, WORKFLOW_TYPE } from '../../src/domain/run/messages.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { Rig, SOON, type RigOptions } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const CHANGES = ['decommission.withdraw-gpus', 'decommission.begin', 'restore.take-over', 'reboot.request'];
const undos = stepsOf('gpu-isolation')
  .filter(({ undo }) => undo)
  .map(({ name }) => `${name}.undo`);

async function start(world: World, options: RigOptions = {}): Promise<Rig> {
  rig = await Rig.start(world, { type: DAY_2_WORKFLOW_TYPES.decommission, ...options });
  return rig;
}

/** Nothing on the host was given back, the scheduler is back, and the host is free. */
function expectUntouched(world: World): void {
  expect(world.calls.filter((call) => CHANGES.includes(call) || call.endsWith('.undo'))).toEqual([]);
  expect(world).toMatchObject({ committed: true, cordoned: false, fence: null, reboots: 0, powerCycles: 0 });
}

describe('giving the GPUs back', () => {
  it('asks, undoes every step with known-good as the default, reboots once, and closes the ledger', async () => {
    const world = new World().provisioned();
    const run = await start(world, { story: 'decommissioned' });
    const asked = await run.untilAsked('decommission');
    expect(asked).toMatchObject({ purpose: 'decommission', question: { kind: 'decommission' } });
    expect(asked.question?.text).toContain('8 GPUs back to the host: vfio-pci -> nvidia');
    expect(world.calls.filter((call) => CHANGES.includes(call))).toEqual([]);
    expect(world.cordoned).toBe(true);
    await run.approve('decommission');
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'completed', outcome: 'decommissioned' });
    expect(status.counts).toEqual({ forwardReboots: 0, undoReboots: 1, powerCycles: 0 });
    expect(status.failure).toBeNull();
    expect(world).toMatchObject({ reboots: 1, entry: 'default', cordoned: false, fence: null, armed: false });
    const first = (name: string): number => world.calls.indexOf(name);
    expect(undos.filter((name) => first(name) < first('decommission.begin'))).toEqual([]);
    expect(first('decommission.begin')).toBeGreaterThan(first('decommission.withdraw-gpus'));
    expect(world.calls.at(-1)).toBe('host.release');
    expect(world.calls).toContain('restore.close-ledger');
  });

  const refusals = [
    { name: 'rejected', answer: (run: Rig) => run.update('reject', { gate: 'decommission', reason: 'not today' }) },
    { name: 'expired', answer: () => Promise.resolve() },
  ];
  it.each(refusals)('changes nothing when it is $name', async ({ name, answer }) => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('decommission');
    await answer(run);
    const { closed, status } = await run.end();
    expect({ closed, outcome: status.outcome }).toEqual({ closed: 'failed', outcome: name });
    expectUntouched(world);
  });

  it('changes nothing when it is cancelled while it asks', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('decommission');
    await run.handle.cancel();
    expect((await run.end()).closed).toBe('cancelled');
    expectUntouched(world);
  });

  it('is refused before the host is claimed, where a VM runs or nothing was committed', async () => {
    for (const world of [Object.assign(new World().provisioned(), { vms: ['tenant-a/db-0'] }), new World()]) {
      const run = await start(world);
      const { status } = await run.end();
      expect(status.outcome).toBe('refused');
      expect(world.calls).toEqual(['decommission.read-plan']);
      await run.close();
    }
    rig = undefined;
  });

  it('is refused when a VM was started while it asked', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('decommission');
    world.vms = ['tenant-a/db-0'];
    await run.approve('decommission');
    expect((await run.end()).status.outcome).toBe('refused');
    expectUntouched(world);
  });

  it('asks anew when the host changed before the answer', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    await run.untilAsked('decommission');
    world.generation += 1;
    await run.approve('decommission');
    await run.untilAsked('decommission#2');
    expect(world.reboots).toBe(0);
    await run.approve('decommission#2');
    expect((await run.end()).status.outcome).toBe('decommissioned');
  });

  // The first undo, the one that puts the images back, and the last, after the reboot.
  const cuts = [undos.at(-1), 'isolation.check-saved-images.undo', undos[0]].map(String);
  it.each(cuts)('goes on after a power cut at %s', async (name) => {
    const world = new World().provisioned();
    world.on.set(name, () => {
      world.on.delete(name);
      world.powerCut();
    });
    const run = await start(world);
    await run.approve('decommission');
    const { status } = await run.end();
    expect(status.outcome).toBe('decommissioned');
    expect(status.counts).toEqual({ forwardReboots: 0, undoReboots: 1, powerCycles: 0 });
    expect(world).toMatchObject({ entry: 'default', fence: null, cordoned: false });
  });

  it('whose ordinary entry hangs is back in known-good by one power cycle, and waits for hands', async () => {
    const world = new World().provisioned();
    world.behaviours = ['hangs'];
    const run = await start(world, { spec: { boot: SOON } });
    await run.approve('decommission');
    const asked = await run.leapUntilAsked('needs-hands');
    expect(asked.counts).toEqual({ forwardReboots: 0, undoReboots: 1, powerCycles: 1 });
    expect(world).toMatchObject({ entry: 'known-good', online: true });
    await run.update('resume', { gate: 'needs-hands', reason: 'image repaired' });
    const { status } = await run.end();
    expect(status).toMatchObject({ outcome: 'decommissioned', failure: null });
    expect(world.entry).toBe('default');
  });

  it('that is approved is not stopped by a cancel', async () => {
    const world = new World().provisioned();
    const run = await start(world);
    world.on.set('decommission.begin', async () => {
      world.on.delete('decommission.begin');
      await run.handle.cancel();
    });
    await run.approve('decommission');
    const { status } = await run.end();
    expect(world).toMatchObject({ reboots: 1, entry: 'default', fence: null });
    expect(status.outcome).toBe('decommissioned');
  });

  it('leaves the GPUs isolated when the cluster keeps their permission', async () => {
    const world = new World().provisioned();
    world.faults = [{ at: 'decommission.withdraw-gpus', type: 'ClusterRefused' }];
    const run = await start(world);
    await run.approve('decommission');
    const { status } = await run.end();
    expect(status).toMatchObject({ outcome: 'incomplete', failure: { type: 'ClusterRefused' } });
    expect(world).toMatchObject({ committed: true, reboots: 0, cordoned: false, fence: null });
  });

  it('excludes provisioning of the same server', async () => {
    const run = await start(new World().provisioned());
    await run.untilAsked('decommission');
    const { workflowId } = run.handle;
    const second = run.env.client.workflow.start(WORKFLOW_TYPE, { workflowId, taskQueue: 'nobody', args: [{}] });
    await expect(second).rejects.toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
  });
});
