/**
 * What Temporal keeps of one scheduled activity, and how it says that one failed.
 * @module
 */
// oxlint-disable typescript/no-unsafe-enum-assignment, typescript/no-unsafe-enum-comparison -- the enums' values are in @temporalio/proto, which is no dependency of ours.
import { type ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { msToNumber, optionalTsToMs, tsToMs } from '@temporalio/common/lib/time.js';
import type { StepInput } from '../../src/activities/define-step.js';
import type { Command, Job, Payload } from './workflow-instance.js';

type ResolveActivity = NonNullable<Job['resolveActivity']>;
type Failure = NonNullable<NonNullable<NonNullable<ResolveActivity['result']>['failed']>['failure']>;

/** Of core's ActivityCancellationType. */
const WAIT_CANCELLATION_COMPLETED = 1;

export type AttemptEnd =
  { readonly completed: unknown } | { readonly failed: ApplicationFailure } | { readonly cancelled: true };

/** An attempt in a worker, from the server's side. */
export interface Attempt {
  /** The answer to its next heartbeat says that it is cancelled, or that nobody waits for it any more. */
  requestCancel(): void;
  /** Its worker is killed. */
  kill(): void;
}

export const TIMEOUTS = { startToClose: 1, scheduleToClose: 3, heartbeat: 4 } as const;

export interface ActivityState {
  readonly seq: number;
  readonly name: string;
  readonly input: StepInput;
  /** How often an activity of this name was scheduled in the run, this one included. */
  readonly call: number;
  readonly waitsForCancellation: boolean;
  readonly startToCloseMs: number;
  readonly heartbeatMs: number;
  readonly deadlineMs: number;
  readonly retry: {
    readonly firstMs: number;
    readonly backoff: number;
    readonly slowestMs: number;
    readonly attempts: number;
  };
  attempt: number;
  running: Attempt | null;
  cancelRequested: boolean;
  closed: boolean;
}

export function activityState(
  command: NonNullable<Command['scheduleActivity']>,
  call: number,
  nowMs: number,
): ActivityState {
  const [payload] = command.arguments ?? [];
  return {
    seq: command.seq ?? 0,
    name: command.activityType ?? '',
    input: defaultPayloadConverter.fromPayload<StepInput>(payload as Payload),
    call,
    waitsForCancellation: command.cancellationType === WAIT_CANCELLATION_COMPLETED,
    startToCloseMs: tsToMs(command.startToCloseTimeout),
    heartbeatMs: tsToMs(command.heartbeatTimeout),
    deadlineMs: nowMs + tsToMs(command.scheduleToCloseTimeout),
    retry: {
      firstMs: tsToMs(command.retryPolicy?.initialInterval),
      backoff: command.retryPolicy?.backoffCoefficient ?? 2,
      slowestMs: optionalTsToMs(command.retryPolicy?.maximumInterval) ?? Number.POSITIVE_INFINITY,
      attempts: command.retryPolicy?.maximumAttempts || Number.POSITIVE_INFINITY,
    },
    attempt: 0,
    running: null,
    cancelRequested: false,
    closed: false,
  };
}

/** When the next attempt begins, or null when there is none. */
export function nextAttemptMs(activity: ActivityState, error: ApplicationFailure | null, nowMs: number): number | null {
  const { retry, attempt, deadlineMs } = activity;
  if (error?.nonRetryable === true || activity.cancelRequested || attempt >= retry.attempts) return null;
  const wanted = error?.nextRetryDelay;
  const delay =
    wanted === undefined || wanted === null
      ? Math.min(retry.slowestMs, retry.firstMs * retry.backoff ** (attempt - 1))
      : msToNumber(wanted);
  return nowMs + delay > deadlineMs ? null : nowMs + delay;
}

export function completedResult(value: unknown): ResolveActivity['result'] {
  return { completed: { result: defaultPayloadConverter.toPayload(value) } };
}

export function failedResult(activity: ActivityState, cause: Failure): ResolveActivity['result'] {
  return { failed: { failure: activityFailure(activity, cause) } };
}

export function cancelledResult(activity: ActivityState): ResolveActivity['result'] {
  return { cancelled: { failure: activityFailure(activity, { message: 'cancelled', canceledFailureInfo: {} }) } };
}

export function applicationFailure(error: ApplicationFailure): Failure {
  return {
    message: error.message,
    source: 'TypeScriptSDK',
    applicationFailureInfo: {
      type: error.type ?? null,
      nonRetryable: error.nonRetryable ?? false,
      details: { payloads: (error.details ?? []).map((detail) => defaultPayloadConverter.toPayload(detail)) },
    },
  };
}

export function timeoutFailure(kind: keyof typeof TIMEOUTS): Failure {
  return { message: `activity ${kind} timeout`, timeoutFailureInfo: { timeoutType: TIMEOUTS[kind] } };
}

function activityFailure(activity: ActivityState, cause: Failure): Failure {
  return {
    message: 'Activity task failed',
    activityFailureInfo: { activityType: { name: activity.name }, activityId: String(activity.seq) },
    cause,
  };
}
