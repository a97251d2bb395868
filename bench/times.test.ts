import { expect, it } from 'vitest';
import { timesOf } from './times.js';

const SECOND = 1_000;
const activity = (name: string, from: number, to: number, result: unknown = null): object => ({
  name,
  scheduledAt: (from - 0.1) * SECOND,
  startedAt: from * SECOND,
  completedAt: to * SECOND,
  result,
});
const busy = (kind: 'command' | 'unit' | 'boot', from: number, to: number) => ({
  kind,
  what: kind,
  from: from * SECOND,
  to: to * SECOND,
});

it('takes a run apart so that the parts are the whole', () => {
  const at = (seconds: number): string => new Date(seconds * SECOND).toISOString();
  const figures = timesOf({
    history: {
      whole: { from: 0, to: 100 * SECOND },
      activities: [
        activity('preparation.install-packages', 1, 11),
        activity('reboot.request', 20, 21, { asked: true }),
        activity('reboot.await-return', 23, 46, { seenAt: at(41) }),
        activity('k3s.await-node', 70, 80),
        activity('commit.confirm-boot', 90, 94),
      ] as never,
      timers: [{ summary: 'settling: drivers', from: 50 * SECOND, to: 60 * SECOND }],
      questions: [{ from: 12 * SECOND, to: 19 * SECOND }],
      events: 40,
    },
    historyBytes: 4_000,
    // A command that starts a unit and is over long before it; one of somebody else before the run.
    busy: [busy('boot', -9, -1), busy('command', 2, 3), busy('unit', 2.5, 9), busy('boot', 23, 40)],
    reboots: 2,
    approvals: 1,
  });
  expect(Object.fromEntries(figures.map(({ name, values }) => [name, values[0]]))).toEqual({
    'wall time': 100,
    'host busy: commands, units, boots': 7 + 17,
    'the cluster is waited for': 10.1,
    'a person is waited for': 7,
    'settling after the boot': 10,
    'from the answer to the reboot request until the host goes down': 2,
    'the dead-man notices that it is confirmed': 4,
    'second reading of the new boot': 5,
    'orchestration overhead: none of these': expect.closeTo(100 - 24 - 10.1 - 7 - 10 - 2 - 4 - 5),
    // Of the activities 1 to 2, 9 to 11, 20 to 21 and 40 to 41 are nobody else's.
    'of it between activities (Temporal)': expect.closeTo(37.9 - 5),
    'of it inside activities (connections, polls, APIs)': expect.closeTo(5),
    'overhead for each activity': expect.closeTo(37_900 / 5),
    'overhead inside activities for each command': expect.closeTo(5_000),
    'sshd ready until the new boot is seen': 1,
    'sshd ready until the outcome is recorded': 6,
    'reboots for each approved reboot': 2,
    activities: 5,
    'commands over SSH': 1,
    history: 40,
    'history size': 4_000,
  });
});
