/**
 * What Temporal does with a step, without Temporal.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { StepContext, StepImplementation } from '../../src/activities/define-step.js';
import { FAILURES } from '../../src/domain/run/failures.js';
import type { StepResult } from '../../src/domain/run/steps.js';
import { ProvisionError } from '../../src/ports/failure.js';

export interface Patience {
  /** For what waits for ever; 0 is one attempt. Without limit when left out. */
  readonly limitMs?: number;
  readonly onWait?: (failure: ProvisionError) => void;
}

const RETRY_MS = 25;

/** Attempts until it succeeds or fails for good. */
export async function performStep(
  step: StepImplementation,
  ctx: StepContext,
  { limitMs = Number.POSITIVE_INFINITY, onWait }: Patience = {},
): Promise<StepResult> {
  const late = Date.now() + limitMs;
  for (;;) {
    try {
      const present = await step.check?.(ctx);
      if (present) return { changed: false, ...present };
      await step.apply(ctx);
      return { changed: true, ...(await step.verify(ctx)) };
    } catch (error) {
      if (!(error instanceof ProvisionError) || !FAILURES[error.type].retryable || Date.now() >= late) throw error;
      onWait?.(error);
      await delay(RETRY_MS, undefined, { signal: ctx.signal });
    }
  }
}
