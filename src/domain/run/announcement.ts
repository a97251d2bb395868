/**
 * What people elsewhere are told of a run, what its audit record holds, and when. Both shapes are interfaces: receivers of webhooks and
 * readers of the record depend on them.
 * @module
 */
import type { NotifySpec } from '../spec.js';
import type { Outcome } from './outcomes.js';
import type { PhaseName } from './phases.js';

/** Raised when a field changes its meaning or goes away; new fields may come without it. */
export const ANNOUNCEMENT_VERSION = 1;

/** All of them are recorded; people are told of those of TOLD. */
export const MOMENTS = {
  started: 'the run begins',
  'gate-open': 'an approval is asked for: of the reboot, or of disks',
  reminder: 'a question still waits for its answer',
  expired: 'nobody answered in time; what was staged is taken away',
  decision: 'a question was answered',
  reboot: 'the host is asked to reboot: into the new image, or to end an undo',
  'graceful-restart': 'the BMC is asked to restart a host that does not answer',
  'power-cycle': 'the BMC is asked for a power cycle of a host that does not answer',
  'power-on': 'the BMC is asked to turn on a host that is off',
  'fell-back': 'the new image failed, the host is back in the system that worked before',
  committed: 'the new image, proven, is the default',
  restored: 'what was staged is undone, the host verified to be as before',
  parked: 'a phase failed and waits for a person',
  'needs-hands': 'the host cannot be proven safe; the run waits for a person',
  outcome: 'the run is over',
} as const;

export type Moment = keyof typeof MOMENTS;

/** Of these people are told. The others are steps on the way to an outcome that they are told of. */
export const TOLD = [
  'started',
  'gate-open',
  'reminder',
  'expired',
  'decision',
  'reboot',
  'fell-back',
  'parked',
  'needs-hands',
  'outcome',
] as const satisfies readonly Moment[];

export interface Announcement {
  readonly version: typeof ANNOUNCEMENT_VERSION;
  /** `RUN/NUMBER`, numbered in the order of the run: the same when it is delivered twice. */
  readonly id: string;
  readonly moment: (typeof TOLD)[number];
  /** ISO 8601. */
  readonly at: string;
  readonly server: string;
  readonly site: string;
  readonly cluster: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly phase: PhaseName | null;
  /** Set when the run is over, or is `needs-hands`. */
  readonly outcome: Outcome | null;
  /** What is asked; null when nothing is. */
  readonly question: {
    readonly id: string;
    readonly digest: string;
    readonly expiresAt: string | null;
    readonly reminders: number;
  } | null;
  /** One line. */
  readonly title: string;
  /** Title and details, several lines of at most 100 columns; of a question the text that `watch` shows. */
  readonly text: string;
}

/** Argument of the activity. */
export interface AnnounceInput {
  readonly notify: readonly NotifySpec[];
  readonly announcement: Announcement;
}

export interface Announced {
  /** One line for each receiver that refuses it whatever is tried. */
  readonly refused: readonly string[];
}

/** One line of the audit record. No secrets. */
export interface AuditEntry {
  /** `RUN:NUMBER`, numbered in the order of the run. A line may be written twice, by a retry: the same id is the same moment. */
  readonly id: string;
  /** ISO 8601, the run's clock. */
  readonly at: string;
  readonly run: string;
  readonly server: string;
  readonly site: string;
  readonly what: Moment;
  /** As asserted, `op-a@ops1`; null for what nobody decided. */
  readonly who: string | null;
  /** Of the plan that it is about, `7f3a-91c2`. */
  readonly digest: string | null;
  /** One line for people. */
  readonly text: string;
}

/** Argument of the activity: in the order of the run. */
export interface AuditInput {
  readonly entries: readonly AuditEntry[];
}
