/**
 * How a run that changes a host begins and ends, whatever it is for.
 * @module
 */
import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  isCancellation,
} from '@temporalio/workflow';
import type { RunStatus } from '../domain/run/messages.js';
import { OUTCOMES, type Outcome } from '../domain/run/outcomes.js';
import { call } from './act.js';
import { announce, lastAnnouncements } from './announce.js';
import { lastAuditLines } from './audit.js';
import { consoleGivenBack } from './console.js';
import { reportFailure, rethrowBug } from './failure.js';
import type { Run } from './run.js';

export interface Course {
  /** What the run is for; the outcome when it goes well. */
  readonly go: () => Promise<Outcome>;
  /** After a failure or a cancel: leaves the host in a state that has a name, and sets the outcome. */
  readonly closeFailed: (error: unknown) => Promise<void>;
}

/** Listens before anything else, and closes the workflow when its outcome is recorded and people are told. */
export async function toTheEnd(run: Run, { go, closeFailed }: Course): Promise<RunStatus> {
  run.listen();
  announce(run, 'started');
  try {
    run.setOutcome(await go());
  } catch (error) {
    rethrowBug(error);
    await CancellationScope.nonCancellable(async () => {
      await closeFailed(error);
      await finish(run);
    });
    throw isCancellation(error) ? error : outcomeFailure(run, error);
  }
  // A cancel that comes now comes too late.
  await CancellationScope.nonCancellable(() => finish(run));
  return run.status();
}

/** A host that can't be reached now keeps its fence: told, not a failure. The next start recognises and adopts it. */
export async function release(run: Run): Promise<void> {
  try {
    const left = await call('host.release', run.step, {
      site: run.site,
      policy: 'undo',
      summary: 'give the host back',
    });
    if (left !== undefined) run.findings.push({ area: 'remains', text: left });
  } catch (error) {
    rethrowBug(error);
    if (isCancellation(error)) throw error;
    run.findings.push({ area: 'remains', text: `host lock: ${reportFailure(error, null, null).message}` });
  }
}

/** What closes the workflow: its type is the outcome, its details the last status. */
function outcomeFailure(run: Run, cause: unknown): ApplicationFailure {
  const outcome = run.outcome ?? 'incomplete';
  return ApplicationFailure.create({
    type: outcome,
    message: `${outcome}: ${OUTCOMES[outcome].means}. ${run.failure?.message ?? ''}`,
    nonRetryable: true,
    details: [run.status()],
    ...(cause instanceof Error ? { cause } : {}),
  });
}

/** Whoever sent a message has its answer, people are told, and the record is written. */
async function finish(run: Run): Promise<void> {
  await consoleGivenBack(run);
  announce(run, 'outcome');
  await lastAnnouncements(run);
  await lastAuditLines(run);
  await condition(allHandlersFinished);
}
