/**
 * A phase that failed and left a host that is safe: a person says once more, or gives it up.
 * @module
 */
import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { PhaseName } from '../domain/run/phases.js';
import { secondsOf } from './durations.js';
import { fail, reportFailure } from './failure.js';
import { ask } from './question.js';
import type { Run } from './run.js';

/** What a phase that failed ends with, or null when it is to be tried again. A cancel ends it wherever it arrives. */
export async function endOf(run: Run, name: PhaseName, error: unknown): Promise<Error | null> {
  // A step that is cancelled between two attempts fails with what its last attempt said.
  if (isCancellation(error) || CancellationScope.current().consideredCancelled) return cancelled(run, name);
  run.failure = reportFailure(error, name, run.currentStep);
  run.setPhase(name, 'failed', run.failure.message);
  try {
    return (await parked(run, name)) ? null : fail('GivenUp', `phase ${name} was given up: ${run.failure.message}`);
  } catch (answer) {
    if (!isCancellation(answer)) throw answer;
    return cancelled(run, name);
  }
}

function cancelled(run: Run, name: PhaseName): CancelledFailure {
  const end = new CancelledFailure('cancelled by a person');
  run.failure = reportFailure(end, name, run.currentStep);
  run.setPhase(name, 'failed', run.failure.message);
  return end;
}

/** True: try again. */
async function parked(run: Run, name: PhaseName): Promise<boolean> {
  run.setPhase(name, 'waiting', `parked: ${run.failure?.message ?? ''}`);
  const receipt = await ask(run, {
    name: `parked:${name}`,
    kind: 'parked',
    text: `phase ${name} failed: ${run.failure?.message ?? ''}. Try again, or give it up?`,
    digest: '',
    expiresSeconds: null,
    reminderSeconds: secondsOf.parkedReminder,
  });
  return receipt?.choice === 'resume';
}
