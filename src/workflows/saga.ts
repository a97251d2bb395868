/**
 * Steps and the way back. The undo is registered before its step runs: a step that failed half-way has to be undone too.
 * @module
 */
import type { StepInput } from '../activities/define-step.js';
import type { TakenOver } from '../activities/restore.js';
import type { Step, StepName, StepResult } from '../domain/run/steps.js';
import { call } from './act.js';
import { factsOf, reportFailure } from './failure.js';
import type { Run } from './run.js';

/** What some steps are told besides server and run. */
export type StepDetails = Pick<StepInput, 'phases' | 'approved'>;

/** Runs one step as the activity of its name. */
export async function runStep(run: Run, step: Step, details: StepDetails = {}): Promise<StepResult> {
  run.beginStep(step.name, step.summary);
  try {
    const result = await call(
      step.name as StepName,
      { ...run.step, ...details },
      {
        site: run.site,
        policy: step.policy,
        summary: step.summary,
      },
    );
    run.keep(result.artifacts);
    run.endStep(step.name, result.changed ? 'done' : 'unchanged', result);
    return result;
  } catch (error) {
    const found = factsOf(error);
    run.keep(found.artifacts);
    run.endStep(step.name, 'failed', { summary: reportFailure(error, null, null).message, ...found });
    throw error;
  }
}

/** Reads back what a step claims, and changes nothing. Throws when it is not so. */
export async function verifyStep(run: Run, step: Step): Promise<StepResult> {
  const name = `${step.name}.verify` as `${StepName}.verify`;
  return call(name, run.step, { site: run.site, policy: 'probe', summary: `verify: ${step.summary}` });
}

/**
 * From here on nothing that was started before may change the host: call before the first undo.
 * @param stagedIn Boot in which a reboot was staged; the journals of the boots since then are kept as evidence.
 */
export async function takeOver(run: Run, stagedIn: string | null = null): Promise<TakenOver> {
  run.epoch += 1;
  // A run that a worker of an earlier version served has no answer here.
  const taken: TakenOver | null = await call(
    'restore.take-over',
    { ...run.step, stagedIn },
    {
      site: run.site,
      policy: 'undo',
      summary: 'raise the fence, wait for units of this run, keep the journals of failed boots',
    },
  );
  run.keep(taken?.artifacts);
  return taken ?? {};
}

export class Saga {
  private readonly undos: Step[] = [];

  constructor(private readonly run: Run) {}

  get isEmpty(): boolean {
    return this.undos.length === 0;
  }

  async step(step: Step, details: StepDetails = {}): Promise<StepResult> {
    if (step.undo && !this.undos.includes(step)) this.undos.unshift(step);
    return runStep(this.run, step, details);
  }

  /** Registers steps that another run took, so that they are undone without being run. */
  adopt(steps: readonly Step[]): void {
    for (const step of steps) if (step.undo && !this.undos.includes(step)) this.undos.unshift(step);
  }

  /**
   * Newest first, of all steps or of some. Throws at the first undo that fails; calling again starts over, since every undo may be
   * repeated.
   */
  async unwind(of: (step: Step) => boolean = () => true): Promise<void> {
    for (const step of this.undos.filter(of)) {
      const name = `${step.name}.undo` as `${StepName}.undo`;
      const result = await call(name, this.run.step, {
        site: this.run.site,
        policy: 'undo',
        summary: `undo: ${step.summary}`,
      });
      if (!this.run.compensations.includes(step.name)) this.run.compensations.push(step.name);
      this.run.endStep(step.name, 'undone', result);
      this.run.event('undo', `${step.name}: ${result.summary}`);
    }
  }
}
