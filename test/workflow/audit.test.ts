import { afterEach, describe, expect, it } from 'vitest';
import { DAY_2_WORKFLOW_TYPES } from '../../src/domain/run/messages.js';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const whats = ({ auditLines }: World): readonly string[] => auditLines.map(({ what }) => what);
const numbered = (world: World, runId: string): readonly string[] =>
  world.auditLines.map((_, i) => `${runId}:${i + 1}`);

describe('the audit record of a run', () => {
  it('has each moment in order: who decided, and what by its digest', async () => {
    const world = new World();
    rig = await Rig.start(world, { audit: true });
    const { plan } = await rig.untilAsked();
    const digest = plan?.digest;
    await rig.approve();
    const { status } = await rig.end();
    expect(whats(world)).toEqual(['started', 'gate-open', 'decision', 'reboot', 'committed', 'outcome']);
    expect(world.auditLines.map(({ id }) => id)).toEqual(numbered(world, status.runId));
    const [started, gate, decision, reboot, , outcome] = world.auditLines;
    expect(started).toMatchObject({ server: 'h100-01', run: status.runId, who: 'op-b@ops2', digest: null });
    expect(gate).toMatchObject({ who: null, digest });
    expect(decision).toMatchObject({ who: 'op-a@ops1', digest });
    expect(decision?.text).toBe(`reboot approved ${digest} by op-a@ops1 (asserted) CHG-4711`);
    expect(reboot).toMatchObject({ who: null, digest, text: 'reboot 1 into the new image was asked for' });
    expect(outcome?.text).toMatch(/^PROVISIONED: /);
    expect(world.announcements).toEqual([]);
  });

  it('has every reboot and power cycle of an undo', async () => {
    const world = new World();
    world.behaviours = ['hangs'];
    rig = await Rig.start(world, { audit: true });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(whats(world)).toEqual([
      'started',
      'gate-open',
      'decision',
      'reboot',
      'graceful-restart',
      'power-cycle',
      'fell-back',
      'reboot',
      'restored',
      'outcome',
    ]);
    const reboots = world.auditLines.filter(({ what }) => what === 'reboot');
    expect(reboots).toHaveLength(status.counts.forwardReboots + status.counts.undoReboots);
    expect(reboots[1]?.text).toBe('reboot 2 to end an undo was asked for');
    expect(world.auditLines.filter(({ what }) => what === 'power-cycle')).toHaveLength(status.counts.powerCycles);
    expect(world.auditLines.map(({ id }) => id)).toEqual(numbered(world, status.runId));
  });

  it('is kept of a decommission too', async () => {
    const world = new World().provisioned();
    rig = await Rig.start(world, { audit: true, type: DAY_2_WORKFLOW_TYPES.decommission });
    await rig.approve('decommission');
    const { status } = await rig.end();
    expect(whats(world).slice(0, 3)).toEqual(['started', 'gate-open', 'decision']);
    expect(whats(world).slice(-2)).toEqual(['restored', 'outcome']);
    expect(world.auditLines.at(-1)?.text).toMatch(/^DECOMMISSIONED: /);
    expect(world.auditLines.map(({ id }) => id)).toEqual(numbered(world, status.runId));
  });

  it('is written with the run cancelled, and while a receiver of notify never answers', async () => {
    const world = new World();
    world.faults = [{ at: 'announce', type: 'WebhookUnreachable' }];
    rig = await Rig.start(world, { audit: true, spec: { notify: [{ kind: 'slack', url: 'env:SLACK_WEBHOOK' }] } });
    await rig.untilAsked();
    await rig.handle.cancel();
    expect((await rig.end()).closed).toBe('cancelled');
    expect(whats(world)).toEqual(['started', 'gate-open', 'restored', 'outcome']);
    expect(world.announcements).toEqual([]);
  });
});

describe('a record that cannot be written', () => {
  it('holds nothing up, is an event, and has every line in order when it can be written again', async () => {
    const world = new World();
    world.faults = [{ at: 'audit.append', type: 'AuditUnwritable' }];
    rig = await Rig.start(world, { audit: true });
    await rig.untilAsked();
    await rig.leapUntil(({ events }) => events.some(({ kind }) => kind === 'audit'));
    expect(world.auditLines).toEqual([]);
    world.faults = [];
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(whats(world)).toEqual(['started', 'gate-open', 'decision', 'reboot', 'committed', 'outcome']);
    const told = status.events.filter(({ kind }) => kind === 'audit').map(({ text }) => text);
    expect(told[0]).toBe('the audit record waits: injected into audit.append');
    expect(told[1]).toMatch(/^the audit record is written again, \d lines late$/);
    expect(told).toHaveLength(2);
  });

  it('ends with the run, which says how many lines are lost', async () => {
    const world = new World();
    world.faults = [{ at: 'audit.append', type: 'AuditUnwritable' }];
    rig = await Rig.start(world, { audit: true, phases: ['preflight'] });
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    const told = status.events.filter(({ kind }) => kind === 'audit').map(({ text }) => text);
    expect(told).toEqual([
      'the audit record waits: injected into audit.append',
      'the run ends with 2 of 2 lines of the audit record not written',
    ]);
  });
});

it('a run whose input asks for no record schedules nothing for it', async () => {
  const world = new World();
  rig = await Rig.start(world);
  await rig.approve();
  await rig.end();
  expect(world.calls).not.toContain('audit.append');
});
