/**
 * How a run that changes a host ends, whatever it was for.
 * @module
 */
import { ApplicationFailure, allHandlersFinished, condition, isCancellation } from '@temporalio/workflow';
import { OUTCOMES } from '../domain/run/outcomes.js';
import { call } from './act.js';
import { announce, lastAnnouncements } from './announce.js';
import { reportFailure, rethrowBug } from './failure.js';
import type { Run } from './run.js';

/** A host that can't be reached now keeps its fence: told, not a failure. The next start recognises and adopts it. */
export async function release(run: Run): Promise<void> {
  try {
    await call('host.release', run.step, { site: run.site, policy: 'undo', summary: 'give the host back' });
  } catch (error) {
    rethrowBug(error);
    if (isCancellation(error)) throw error;
    run.findings.push({ area: 'remains', text: `host lock: ${reportFailure(error, null, null).message}` });
  }
}

/** What closes the workflow: its type is the outcome, its details the last status. */
export function outcomeFailure(run: Run, cause: unknown): ApplicationFailure {
  const outcome = run.outcome ?? 'incomplete';
  return ApplicationFailure.create({
    type: outcome,
    message: `${outcome}: ${OUTCOMES[outcome].means}. ${run.failure?.message ?? ''}`,
    nonRetryable: true,
    details: [run.status()],
    ...(cause instanceof Error ? { cause } : {}),
  });
}

/** Whoever sent a message has its answer, and people are told. */
export async function finish(run: Run): Promise<void> {
  announce(run, 'outcome');
  await lastAnnouncements(run);
  await condition(allHandlersFinished);
}
