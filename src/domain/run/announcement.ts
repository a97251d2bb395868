/**
 * What people elsewhere are told of a run, and when. The shape is an interface: receivers of webhooks depend on it.
 * @module
 */
import type { NotifySpec } from '../spec.js';
import type { Outcome } from './outcomes.js';
import type { PhaseName } from './phases.js';

/** Raised when a field changes its meaning or goes away; new fields may come without it. */
export const ANNOUNCEMENT_VERSION = 1;

export const MOMENTS = {
  started: 'the run begins',
  'gate-open': 'an approval is asked for: of the reboot, or of disks',
  reminder: 'a question still waits for its answer',
  expired: 'nobody answered in time; what was staged is taken away',
  decision: 'a question was answered',
  reboot: 'the host was asked to reboot into the new image',
  'fell-back': 'the new image failed, the host is back in the system that worked before',
  parked: 'a phase failed and waits for a person',
  'needs-hands': 'the host cannot be proven safe; the run waits for a person',
  outcome: 'the run is over',
} as const;

export type Moment = keyof typeof MOMENTS;

export interface Announcement {
  readonly version: typeof ANNOUNCEMENT_VERSION;
  /** `RUN/NUMBER`, numbered in the order of the run: the same when it is delivered twice. */
  readonly id: string;
  readonly moment: Moment;
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
