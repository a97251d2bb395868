/**
 * What Temporal knows of a run without asking a worker.
 * @module
 */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../domain/run/messages.js';
import { isOutcome, type KnownRun, type WorkflowState } from '../domain/run/view.js';

export const ATTRIBUTE = {
  server: defineSearchAttributeKey(SEARCH_ATTRIBUTES.server, 'KEYWORD'),
  site: defineSearchAttributeKey(SEARCH_ATTRIBUTES.site, 'KEYWORD'),
  phase: defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD'),
  gate: defineSearchAttributeKey(SEARCH_ATTRIBUTES.gate, 'KEYWORD'),
  outcome: defineSearchAttributeKey(SEARCH_ATTRIBUTES.outcome, 'KEYWORD'),
};

/** Temporal's names; a state that a newer server may add is none of ours. */
export const STATES: Readonly<Record<string, WorkflowState>> = {
  RUNNING: 'running',
  PAUSED: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed-out',
};

export function knownRun(description: Omit<WorkflowExecutionInfo, 'raw'>): KnownRun {
  const memo = description.memo ?? {};
  const text = (field: string): string | null => (typeof memo[field] === 'string' ? memo[field] : null);
  const attributes = description.typedSearchAttributes;
  const outcome = attributes.get(ATTRIBUTE.outcome) ?? memo['outcome'];
  return {
    runId: description.runId,
    startedAt: description.startTime.toISOString(),
    endedAt: description.closeTime?.toISOString() ?? null,
    startedBy: text('startedBy') ?? 'unknown',
    site: attributes.get(ATTRIBUTE.site) ?? text('site') ?? '',
    cluster: text('cluster') ?? '',
    phase: attributes.get(ATTRIBUTE.phase) ?? null,
    gate: attributes.get(ATTRIBUTE.gate) ?? null,
    outcome: isOutcome(outcome) ? outcome : null,
    failure: text('failure'),
  };
}
