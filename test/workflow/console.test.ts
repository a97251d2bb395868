import { CancelledFailure } from '@temporalio/common';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../src/domain/run/messages.js';
import { serverSpec } from '../support/server-spec.js';
import { REDFISH, Rig, untilCancelled } from './rig.js';
import { World } from './world.js';

/** News of a cancel waits for the SDK's heartbeat, which a worker holds back for 16 s. */
const LIMIT_MS = 120_000;

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const { bmc } = serverSpec();

const told = ({ events }: RunStatus): readonly string[] =>
  events.filter(({ kind }) => kind === 'console').map(({ text }) => text);

describe('the console beside a reboot', () => {
  it('is read until the reboot is over, and what it said is kept', { timeout: LIMIT_MS }, async () => {
    const world = new World();
    let ended: unknown = 'never cancelled';
    world.on.set('bmc.console', async () => {
      try {
        await untilCancelled();
      } catch (error) {
        // As the real one does: a cancel is how it ends.
        ended = error;
      }
    });
    rig = await Rig.start(world, { spec: { bmc }, phases: ['preflight', 'node-preparation', 'gpu-isolation'] });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(ended).toBeInstanceOf(CancelledFailure);
    expect(world.calls.indexOf('bmc.console')).toBeLessThan(world.calls.indexOf('reboot.await-left'));
    expect(told(status)).toEqual(['console of reboot 1: its last line: h100-01 login:']);
    expect(status.reboot?.console).toBe('h100-01 login:');
  });

  it('fails and nothing else does', async () => {
    const world = new World();
    world.faults = [{ at: 'bmc.console', type: 'SecretUnreadable' }];
    rig = await Rig.start(world, { spec: { bmc } });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(status.reboot?.console).toBeNull();
    expect(told(status)).toEqual(['console of reboot 1: not kept: injected into bmc.console']);
  });

  it('is of each reboot, and the last line of the one that needs hands is known', async () => {
    const world = new World();
    world.behaviours = ['hangs', 'hangs', 'dies'];
    world.consoleSays = 'error: no such device: 1c2e.';
    rig = await Rig.start(world, { spec: { bmc } });
    await rig.approve();
    const status = await rig.leapUntilAsked('needs-hands');
    expect(status.reboot).toMatchObject({ bmc: 'power on; event log empty', console: 'error: no such device: 1c2e.' });
    expect(new Set(told(status)).size).toBe(status.reboot?.number);
  });

  it('is not asked for where the protocol has none', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec: { bmc: REDFISH } });
    await rig.approve();
    expect((await rig.end()).status.outcome).toBe('provisioned');
    expect(world.calls).not.toContain('bmc.console');
  });
});
