/**
 * Steps that only wait: each attempt looks once and throws NotReadyYet with the object that holds things up; Temporal looks again.
 * @module
 */
import type { Gate } from '../../domain/cluster/gates.js';
import type { StepResult } from '../../domain/run/steps.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';

export type Look = (ctx: StepContext) => Promise<Omit<StepResult, 'changed'>>;

/** A step without an apply: its check already says what its verify says. */
export function waitingStep(look: Look): StepImplementation {
  return { check: look, apply: () => Promise.resolve(), verify: look };
}

/** Throws when the gate is shut. */
export function through(gate: Gate): void {
  if (gate !== null) throw new ProvisionError('NotReadyYet', gate);
}
