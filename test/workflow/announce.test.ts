import { afterEach, describe, expect, it } from 'vitest';
import type { NotifySpec } from '../../src/domain/spec.js';
import { Rig } from './rig.js';
import { World } from './world.js';

const NOTIFY: readonly NotifySpec[] = [{ kind: 'slack', url: 'env:SLACK_WEBHOOK' }];
const spec = { notify: NOTIFY };

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const moments = ({ announcements }: World): readonly string[] => announcements.map(({ moment }) => moment);

describe('people are told', () => {
  it('of a run from its begin to its end, by the text that watch shows, in numbers that count up', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec });
    const { question, plan } = await rig.untilAsked();
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('provisioned');
    expect(moments(world)).toEqual(['started', 'gate-open', 'decision', 'reboot', 'outcome']);
    expect(world.announcements.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((n) => `${status.runId}/${n}`));
    const [, gate, decision, , outcome] = world.announcements;
    expect(gate).toMatchObject({
      version: 1,
      server: 'h100-01',
      phase: 'gpu-isolation',
      outcome: null,
      question: { id: 'reboot', digest: plan?.digest, expiresAt: question?.expiresAt },
    });
    expect(gate?.text).toContain(`GATE reboot  digest ${plan?.digest}`);
    expect(gate?.text).toContain(`gpu-provision approve h100-01 --digest ${plan?.digest}`);
    expect(decision?.title).toContain(`reboot approved ${plan?.digest} by op-a@ops1 (asserted) CHG-4711`);
    expect(outcome).toMatchObject({ outcome: 'provisioned', question: null });
    expect(outcome?.text).toContain('PROVISIONED  h100-01');
  });

  it('that the host fell back, once, and that it was restored', async () => {
    const world = new World();
    world.behaviours = ['falls-back'];
    rig = await Rig.start(world, { spec });
    await rig.approve();
    const { status } = await rig.end();
    expect(status.outcome).toBe('restored');
    expect(moments(world)).toEqual(['started', 'gate-open', 'decision', 'reboot', 'fell-back', 'outcome']);
    expect(world.announcements.at(-1)?.text).toContain('RESTORED  h100-01');
  });

  it('of every reminder, and that nobody answered', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec });
    const { status } = await rig.end();
    const reminders = status.events.filter(({ kind }) => kind === 'reminder').map(() => 'reminder');
    expect(reminders).toHaveLength(5);
    expect(moments(world)).toEqual(['started', 'gate-open', ...reminders, 'expired', 'outcome']);
    expect(world.announcements[6]?.question?.reminders).toBe(5);
  });

  it('of a phase that is parked, and of a host that needs hands, with what to do there', async () => {
    const world = new World();
    world.faults = [{ at: 'k3s.install', type: 'CommandFailed', attempts: 1 }];
    world.behaviours = ['dies'];
    rig = await Rig.start(world, { spec });
    await rig.untilAsked('parked:k3s');
    world.faults = [];
    await rig.update('resume', { gate: 'parked:k3s', by: 'op-a' });
    await rig.untilAsked('reboot');
    await rig.approve();
    await rig.leapUntilAsked('needs-hands');
    const told = ['started', 'parked', 'decision', 'gate-open', 'decision', 'reboot', 'needs-hands'];
    await rig.until(() => world.announcements.length >= told.length);
    expect(moments(world).slice(0, told.length)).toEqual(told);
    expect(world.announcements[1]?.title).toContain('PARKED: injected into k3s.install');
    expect(world.announcements[6]?.text).toContain('gpu-provision resume h100-01 --note');
  });

  it('that a run was cancelled, although everything else of it is', async () => {
    const world = new World();
    rig = await Rig.start(world, { spec });
    await rig.untilAsked();
    await rig.handle.cancel();
    expect((await rig.end()).closed).toBe('cancelled');
    expect(moments(world)).toEqual(['started', 'gate-open', 'outcome']);
    expect(world.announcements.at(-1)?.text).toContain('CANCELLED  h100-01');
  });
});

describe('a receiver that never answers', () => {
  it('changes nothing about the run but its list of events; what is not delivered at the end is given up', async () => {
    const world = new World();
    world.faults = [{ at: 'announce', type: 'WebhookUnreachable' }];
    rig = await Rig.start(world, { spec });
    await rig.approve();
    const { status } = await rig.end();
    expect(status).toMatchObject({ outcome: 'provisioned', failure: null });
    expect(world).toMatchObject({ reboots: 1, committed: true, announcements: [] });
    const told = status.events.filter(({ kind }) => kind === 'announce').map(({ text }) => text);
    expect(told.at(-1)).toMatch(/^the run ends with [1-5] of 5 announcements not delivered$/);
  });

  it('does not hold up the undo of a host', async () => {
    const world = new World();
    world.faults = [{ at: 'announce', type: 'WebhookUnreachable' }];
    world.behaviours = ['falls-back'];
    rig = await Rig.start(world, { spec });
    await rig.approve();
    expect((await rig.end()).status).toMatchObject({ outcome: 'restored', failure: { type: 'BootFailed' } });
    expect(world.staged).not.toContain('isolation.publish-known-good-default');
  });
});

it('a run that is to tell nobody schedules nothing for it', async () => {
  const world = new World();
  rig = await Rig.start(world);
  await rig.approve();
  await rig.end();
  expect(world.calls).not.toContain('announce');
});
