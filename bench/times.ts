/**
 * Takes the wall time of a run apart: what the host did, what was waited for on purpose, and the rest, which is ours.
 * @module
 */
import type { BusyPeriod } from '../lab/rack/index.js';
import { PHASE_NAMES } from '../src/domain/run/phases.js';
import { stepsOf } from '../src/domain/run/steps.js';
import { covered, duration, type Figure, type Interval } from './figures.js';
import type { ActivitySpan, RunHistory } from './history.js';

export interface MeasuredRun {
  readonly history: RunHistory;
  readonly historyBytes: number;
  readonly busy: readonly BusyPeriod[];
  /** That the host was asked for. */
  readonly reboots: number;
  readonly approvals: number;
}

/** Steps that look until the cluster has done something. */
const CLUSTER_WAITS = new Set(
  PHASE_NAMES.flatMap((phase) => stepsOf(phase)).flatMap(({ name, policy }) =>
    policy === 'cluster-wait' ? [name] : [],
  ),
);

export function timesOf({ history, historyBytes, busy, reboots, approvals }: MeasuredRun): readonly Figure[] {
  const { whole, activities } = history;
  const back = activities.filter(({ name }) => name === 'reboot.await-return');
  const kinds: readonly (readonly [string, readonly Interval[]])[] = [
    ['host busy: commands, units, boots', busy],
    ['the cluster is waited for', activities.filter(({ name }) => CLUSTER_WAITS.has(name)).map(allAttempts)],
    ['a person is waited for', history.questions],
    ['settling after the boot', history.timers.filter(({ summary }) => summary.startsWith('settling'))],
    ['from the answer to the reboot request until the host goes down', goingDown(activities, busy)],
    [
      'the dead-man notices that it is confirmed',
      activities.filter(({ name }) => name === 'commit.confirm-boot').map(lastAttempt),
    ],
    ['second reading of the new boot', back.map((span) => ({ from: firstSeen(span), to: span.completedAt }))],
  ];
  const accounted = kinds.flatMap(([, intervals]) => intervals);
  const ours = duration(whole) - covered(whole, accounted);
  const between = duration(whole) - covered(whole, [...accounted, ...activities.map(lastAttempt)]);
  const commands = busy.filter(({ kind, from }) => kind === 'command' && from >= whole.from).length;
  const boots = busy.filter(({ kind }) => kind === 'boot');
  const lags = back.map((span) => {
    const ready = boots.findLast(({ to }) => to <= firstSeen(span))?.to ?? Number.NaN;
    return { seen: firstSeen(span) - ready, recorded: span.completedAt - ready };
  });
  return [
    seconds('wall time', [duration(whole)]),
    ...kinds.map(([name, intervals]) => seconds(name, [covered(whole, intervals)])),
    seconds('orchestration overhead: none of these', [ours]),
    seconds('of it between activities (Temporal)', [between]),
    seconds('of it inside activities (connections, polls, APIs)', [ours - between]),
    { name: 'overhead for each activity', unit: 'ms', values: [ours / activities.length] },
    { name: 'overhead inside activities for each command', unit: 'ms', values: [(ours - between) / commands] },
    seconds(
      'sshd ready until the new boot is seen',
      lags.map(({ seen }) => seen),
    ),
    seconds(
      'sshd ready until the outcome is recorded',
      lags.map(({ recorded }) => recorded),
    ),
    { name: 'reboots for each approved reboot', unit: 'reboots', values: [reboots / approvals] },
    { name: 'activities', unit: 'activities', values: [activities.length] },
    { name: 'commands over SSH', unit: 'commands', values: [commands] },
    { name: 'history', unit: 'events', values: [history.events] },
    { name: 'history size', unit: 'bytes', values: [historyBytes] },
  ];
}

function seconds(name: string, milliseconds: readonly number[]): Figure {
  return { name, unit: 's', values: milliseconds.map((ms) => ms / 1_000) };
}

const lastAttempt = ({ startedAt, completedAt }: ActivitySpan): Interval => ({ from: startedAt, to: completedAt });
const allAttempts = ({ scheduledAt, completedAt }: ActivitySpan): Interval => ({ from: scheduledAt, to: completedAt });

/** When the first of the two readings was taken that must show the same boot. */
function firstSeen({ result, completedAt }: ActivitySpan): number {
  const { seenAt } = result as { readonly seenAt: string | null };
  return seenAt === null ? completedAt : Date.parse(seenAt);
}

/** The host reboots a moment after it was asked, so that its answer gets out. */
function goingDown(activities: readonly ActivitySpan[], busy: readonly BusyPeriod[]): readonly Interval[] {
  return activities
    .filter(({ name }) => name === 'reboot.request')
    .flatMap(({ completedAt }) => {
      const boot = busy.find(({ kind, from }) => kind === 'boot' && from >= completedAt);
      return boot === undefined ? [] : [{ from: completedAt, to: boot.from }];
    });
}
