/**
 * A cell of the matrix: what became of one fault at one step.
 * @module
 */
import type { Outcome } from '../../src/domain/run/outcomes.js';
import type { Phase } from '../../src/domain/run/phases.js';
import { stepsOf, type Step } from '../../src/domain/run/steps.js';
import type { Fault } from './fault.js';

export interface Cell {
  readonly step: string;
  readonly fault: string;
  /** Of the run in which the fault struck; null where there was none. */
  readonly outcome: Outcome | null;
  /** Empty: everything is as the outcome claims. */
  readonly problems: readonly string[];
}

/** Steps of the phase that the fault can strike at. */
export const stepsHit = (phase: Phase, { strikes = () => true }: Fault): readonly Step[] =>
  stepsOf(phase.name).filter(strikes);
