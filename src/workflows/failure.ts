/**
 * Tells failures of the world, which compensate, from bugs of ours, which must not.
 * @module
 */
import {
  ActivityFailure,
  ApplicationFailure,
  TemporalFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import type { TruthTable } from '../domain/gpu/truth-table.js';
import type { WithArtifacts } from '../domain/run/artifacts.js';
import { isFailureType } from '../domain/run/failures.js';
import type { FailureReport } from '../domain/run/messages.js';
import type { PhaseName } from '../domain/run/phases.js';
import type { StepResult } from '../domain/run/steps.js';

/** A bug in workflow code fails the workflow task and waits for a fixed worker: it never triggers a compensation. */
export function rethrowBug(error: unknown): void {
  if (!(error instanceof TemporalFailure)) throw error;
}

/** The innermost ApplicationFailure, which carries the type from the failure table. */
export function rootFailure(error: unknown): ApplicationFailure | null {
  let current: unknown = error;
  let found: ApplicationFailure | null = null;
  while (current instanceof Error) {
    if (current instanceof ApplicationFailure) found ??= current;
    current = current.cause;
  }
  return found;
}

export function failureType(error: unknown): FailureReport['type'] {
  if (isCancellation(error)) return 'Cancelled';
  const type = rootFailure(error)?.type ?? '';
  return isFailureType(type) ? type : 'Unknown';
}

/** True when an activity ran out of its deadline or its attempts, whatever it wanted to say. */
export function ranOutOfTime(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false;
  if (error.cause instanceof TimeoutFailure) return true;
  const last = rootFailure(error)?.type;
  return last === 'NotBackYet' || last === 'NotReadyYet' || last === 'WorkerStopped';
}

export function reportFailure(error: unknown, phase: PhaseName | null, step: string | null): FailureReport {
  const root = rootFailure(error);
  const message = root?.message ?? (isCancellation(error) ? 'cancelled by a person' : describe(error));
  return { type: failureType(error), message: message.slice(0, 2_000), phase, step };
}

/** What an activity found instead, and what it kept of it, if it says. */
export function factsOf(error: unknown): Pick<StepResult, 'facts' | 'artifacts'> {
  const found: unknown = rootFailure(error)?.details?.[0];
  if (typeof found !== 'object' || found === null) return {};
  const { artifacts = [], ...facts } = found as WithArtifacts;
  return { artifacts, ...(Object.keys(facts).length > 0 ? { facts } : {}) };
}

/** The truth table that an IsolationNotVerified carries; null for every other failure. */
export function tableOf(error: unknown): TruthTable | null {
  const root = rootFailure(error);
  if (root?.type !== 'IsolationNotVerified') return null;
  return (root.details?.[0] as { readonly table?: TruthTable } | undefined)?.table ?? null;
}

function describe(error: unknown): string {
  if (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure) {
    return `${error.activityType} ran out of time (${error.cause.message})`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Ends the workflow or a phase for a reason in the failure table. */
export function fail(
  type: Parameters<typeof isFailureType>[0],
  message: string,
  details: unknown = {},
): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true, details: [details] });
}
