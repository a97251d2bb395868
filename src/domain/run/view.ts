/**
 * A run as seen from outside: what its workflow says, and what is known when it can't say anything.
 * @module
 */
import type { HostOutput } from './host-output.js';
import type { RunStatus } from './messages.js';
import { OUTCOMES, type Outcome } from './outcomes.js';

/** Whether there is anybody to ask. Times are ISO 8601; `since` is the last answer, null when there was none. */
export type Contact =
  | { readonly kind: 'ok' }
  /** Nothing polls this task queue: the run stands still until a worker comes. */
  | { readonly kind: 'no-worker'; readonly queue: string; readonly since: string | null }
  /** A worker polls, but the workflow task fails or hangs: a bug of ours, which waits for a fixed worker. */
  | { readonly kind: 'stuck'; readonly queue: string; readonly since: string | null }
  | { readonly kind: 'no-temporal'; readonly address: string; readonly since: string | null };

/** How Temporal itself names the state of a workflow. */
export type WorkflowState = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed-out';

/** What Temporal knows without asking a worker: memo and search attributes. */
export interface KnownRun {
  readonly runId: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly startedBy: string;
  readonly site: string;
  readonly cluster: string;
  readonly phase: string | null;
  /** Id of the open question. */
  readonly gate: string | null;
  readonly outcome: Outcome | null;
  /** `Type: message`. */
  readonly failure: string | null;
}

/** A run in a list. */
export interface ListedRun {
  readonly server: string;
  readonly workflow: WorkflowState;
  readonly known: KnownRun;
  /** When the open question was asked; null without one, and where that cannot be told. */
  readonly gateOpenedAt: string | null;
}

export interface RunView {
  readonly server: string;
  /** The viewer's clock. The workflow's own (`status.now`) stands still while it waits. */
  readonly now: string;
  readonly workflow: WorkflowState;
  readonly contact: Contact;
  /** The newest answer of the workflow; null when it never gave one. */
  readonly status: RunStatus | null;
  /** When that answer came; null without one. */
  readonly statusAt: string | null;
  /** What the host says to the command that runs on it; null where none says anything. */
  readonly output: HostOutput | null;
  readonly known: KnownRun;
}

export function outcomeOf(view: RunView): Outcome | null {
  return view.status?.outcome ?? view.known.outcome;
}

/** The workflow is over. `needs-hands` is no end: it waits for a person. */
export function hasEnded(view: RunView): boolean {
  return view.workflow !== 'running';
}

/** An outcome's code; 1 for a run that ended without one (terminated, timed out): that never happens by our hand. */
export function exitCodeOf(view: RunView): number {
  const outcome = outcomeOf(view);
  return outcome === null ? 1 : OUTCOMES[outcome].exit;
}

export function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'string' && Object.hasOwn(OUTCOMES, value);
}
