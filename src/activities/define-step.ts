/**
 * Turns the check, apply, verify and undo of a step into its two activities.
 * @module
 */
import { activityInfo, cancellationSignal, Context, heartbeat, log } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { FAILURES, type FailureType } from '../domain/run/failures.js';
import type { PlannedChange } from '../domain/preflight.js';
import { boundedNote, type HeartbeatNote } from '../domain/run/host-output.js';
import type { PhaseName } from '../domain/run/phases.js';
import type { RunRef, StepNameOf, StepResult, UndoableStepNameOf } from '../domain/run/steps.js';
import type { ServerSpec } from '../domain/spec.js';
import type { Bmc, BmcProvider } from '../ports/bmc.js';
import type { ClusterProvider } from '../ports/cluster.js';
import type { ArtifactStore } from '../ports/artifacts.js';
import { ProvisionError } from '../ports/failure.js';
import type { HostProvider } from '../ports/host.js';
import type { SecretSource } from '../ports/secrets.js';
import { Evidence } from './evidence.js';
import { RemoteHost } from './host/remote-host.js';

/** Before another worker takes up what a stopped one handed back. */
const HANDED_BACK_MS = 1_000;

/** The outside world as activities get it from the worker. */
export interface Adapters {
  readonly hosts: HostProvider;
  readonly bmcs: BmcProvider;
  readonly clusters: ClusterProvider;
  readonly secrets: SecretSource;
  /** null: nothing is kept beside the history. */
  readonly artifacts: ArtifactStore | null;
  /** Takes out of a text what this process has read as a secret. For what leaves it before the result of an activity does. */
  readonly redact: (text: string) => string;
}

/** Argument of every step and undo activity. */
export interface StepInput {
  readonly spec: ServerSpec;
  readonly run: RunRef;
  /** Phases of the run, for preflight; all of them when left out. */
  readonly phases?: readonly PhaseName[];
  /** Digest that a person approved for this step, where it destroys something. */
  readonly approved?: string;
}

export interface StepContext extends StepInput {
  readonly host: RemoteHost;
  readonly bmc: Bmc | null;
  readonly clusters: ClusterProvider;
  readonly secrets: SecretSource;
  readonly evidence: Evidence;
  /** Aborted when a person cancels, and when the worker stops. Pass it on; don't catch it. */
  readonly signal: AbortSignal;
  /** Says that a long step is alive, and at what. */
  readonly heartbeat: (note: HeartbeatNote) => void;
  /** For what is no reason to fail a step, and that somebody should know: into the worker's log. */
  readonly warn: (message: string) => void;
}

export interface StepImplementation {
  /** What it would change, read-only, for the plan. */
  readonly preview?: (ctx: StepContext) => Promise<readonly Omit<PlannedChange, 'phase'>[]>;
  /** A result when everything is as wanted already, so that nothing is applied; else null. */
  readonly check?: (ctx: StepContext) => Promise<Omit<StepResult, 'changed'> | null>;
  /** Makes it so. Every original is saved in the ledger first. Must be safe to repeat. */
  readonly apply: (ctx: StepContext) => Promise<void>;
  /** Reads back what apply claims; throws ProvisionError StepNotVerified. */
  readonly verify: (ctx: StepContext) => Promise<Omit<StepResult, 'changed'>>;
}

export interface UndoableStepImplementation extends StepImplementation {
  /** Takes back what this run's ledger says it did, and reads that back. Safe to repeat, and safe when apply never ran. */
  readonly undo: (ctx: StepContext) => Promise<string>;
}

/** All steps of a phase: a step that the table names and this lacks, or the other way round, does not compile. */
export type PhaseSteps<P extends PhaseName> = {
  readonly [N in StepNameOf<P>]: N extends UndoableStepNameOf<P> ? UndoableStepImplementation : StepImplementation;
};

export type StepActivity = (input: StepInput) => Promise<StepResult>;

/** The activities of some steps, by activity name: `NAME`, `NAME.verify`, and `NAME.undo` where there is one. */
export function stepActivities(
  adapters: Adapters,
  steps: Readonly<Record<string, StepImplementation | UndoableStepImplementation>>,
): Record<string, StepActivity> {
  const activities: Record<string, StepActivity> = {};
  for (const [name, step] of Object.entries(steps)) {
    activities[name] = (input) =>
      reporting(() => {
        const ctx = contextOf(adapters, input);
        return ctx.evidence.with(() => perform(step, ctx));
      });
    activities[`${name}.verify`] = (input) =>
      reporting(async () => ({ changed: false, ...(await step.verify(contextOf(adapters, input))) }));
    if ('undo' in step) {
      activities[`${name}.undo`] = (input) =>
        reporting(async () => ({ changed: true, summary: await step.undo(contextOf(adapters, input)) }));
    }
  }
  return activities;
}

/** Checks, and where something is not as wanted, applies and reads back. */
export async function perform(step: StepImplementation, ctx: StepContext): Promise<StepResult> {
  const present = await step.check?.(ctx);
  if (present) return { changed: false, ...present };
  await step.apply(ctx);
  return { changed: true, ...(await step.verify(ctx)) };
}

/** What each attempt that runs has said last: a heartbeat that says nothing would take it away. */
const lastNotes = new WeakMap<Context, HeartbeatNote>();

function say(note: HeartbeatNote): void {
  lastNotes.set(Context.current(), note);
  heartbeat(note);
}

/** The context of an activity that runs now. */
export function contextOf(adapters: Adapters, input: StepInput): StepContext {
  return stepContext(adapters, input, {
    signal: cancellationSignal(),
    heartbeat: (note) => say(boundedNote(note, adapters.redact)),
    warn: (message) => log.warn(message, { server: input.spec.name }),
  });
}

/** The same for whoever is no activity. */
export function stepContext(
  adapters: Adapters,
  input: StepInput,
  around: Pick<StepContext, 'signal' | 'heartbeat' | 'warn'>,
): StepContext {
  return {
    ...input,
    host: new RemoteHost(adapters.hosts.get(input.spec), input.run, around.signal, around.heartbeat),
    bmc: adapters.bmcs.get(input.spec),
    clusters: adapters.clusters,
    secrets: adapters.secrets,
    evidence: new Evidence(adapters.artifacts, around.signal),
    ...around,
  };
}

/**
 * Runs an activity's body: keeps Temporal informed that it is alive, and turns a ProvisionError into the ApplicationFailure of
 * the same type. Anything else passes as it is and counts as a bug.
 */
export async function reporting<T>(body: () => Promise<T>): Promise<T> {
  const signal = cancellationSignal();
  const every = (activityInfo().heartbeatTimeoutMs ?? 30_000) / 3;
  const context = Context.current();
  const beat = setInterval(() => heartbeat(lastNotes.get(context)), every);
  try {
    return await body();
  } catch (error) {
    if (error instanceof ProvisionError) throw toApplicationFailure(error);
    throw endedBy(signal, error) && isStop(signal.reason) ? workerStopped() : error;
  } finally {
    clearInterval(beat);
  }
}

/** Whether an error is only the news of the abort: the reason itself, or an AbortError of Node's, which has it as its cause. */
const endedBy = (signal: AbortSignal, error: unknown): boolean =>
  signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));

/** Somebody wants the activity to end; else the worker wants to, or nobody waits for it any more. */
export const isCancelOfRun = (signal: AbortSignal): boolean =>
  signal.reason instanceof CancelledFailure && signal.reason.message === 'CANCELLED';

/** The SDK aborts with the same class for a person's cancel (`CANCELLED`) and for a worker whose grace time is over. */
const isStop = (reason: unknown): boolean => reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';

/** The attempt ends and nothing else does: commands on the host go on. The next worker need not wait for the backoff of a failure. */
function workerStopped(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'WorkerStopped' satisfies FailureType,
    message: FAILURES.WorkerStopped.advice,
    nextRetryDelay: HANDED_BACK_MS,
    category: ApplicationFailureCategory.BENIGN,
  });
}

export function toApplicationFailure(error: ProvisionError): ApplicationFailure {
  const waiting = error.type === 'NotBackYet' || error.type === 'NotReadyYet';
  return ApplicationFailure.create({
    message: error.message,
    type: error.type,
    nonRetryable: !FAILURES[error.type].retryable,
    details: [error.details],
    ...(error.cause instanceof Error ? { cause: error.cause } : {}),
    // Waiting is not an error: no warning in the log, no failure metric.
    ...(waiting ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}
