/**
 * What a fault is, and what it may touch.
 * @module
 */
import type { Rack, SimulatedHost } from '../../lab/rack/index.js';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import type { Phase } from '../../src/domain/run/phases.js';
import type { OpenQuestion } from '../../src/domain/run/questions.js';
import type { Step, StepResult } from '../../src/domain/run/steps.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import type { ProvisionRun } from '../support/provision-run.js';

/** What a fault may touch besides the step. */
export interface Surroundings {
  readonly rack: Rack;
  readonly host: SimulatedHost;
  /** Paths, hashes, modes and owners of what steps may touch. */
  readonly manifest: () => ReadonlyMap<string, unknown>;
  /** Asks Temporal to cancel the run. */
  readonly cancelRun: () => Promise<void>;
  /** Only in lanes that have a server of their own. */
  readonly restartTemporal: () => Promise<void>;
}

export interface Strike extends Surroundings {
  readonly step: string;
  /** The fault has happened. What it found wrong with the step, if anything. */
  readonly happened: (problem?: string) => void;
  /** Resolves when the step is attempted again. */
  readonly nextAttempt: () => Promise<void>;
}

export interface Fault {
  readonly name: string;
  /**
   * `heals`: strikes once at every step of one run, which ends well all the same. `lasts`: the step never succeeds, and a person gives the
   * phase up. `cancels`: a person cancels the run at the step. These two have a run for each step. `undoes`: the phase is given up in its
   * last step, and the fault strikes once at every undo. `asked`: it strikes while the run asks about the step, in one run.
   */
  readonly shape: 'heals' | 'lasts' | 'cancels' | 'undoes' | 'asked';
  /** What a lane has for itself, because the fault kills it. */
  readonly kills?: 'worker' | 'temporal';
  /** Costs seconds at each step. */
  readonly slow?: boolean;
  /** That nothing is heard of a step for so long must be noticed. */
  readonly silent?: boolean;
  /** Where it can strike; at every step when left out. */
  readonly strikes?: (step: Step) => boolean;
  /** An attempt of the step, or of its undo. `body` is the activity itself. */
  readonly strike?: (body: () => Promise<StepResult>, at: Strike) => Promise<StepResult>;
  /** For `asked`: what a person does instead of approving. */
  readonly answer?: (run: ProvisionRun, question: OpenQuestion, at: Surroundings) => Promise<void>;
  readonly boot?: Partial<ServerSpec['boot']>;
  /** How the run ends, where the shape does not say it. */
  readonly ends?: (phase: Phase) => Outcome;
}
