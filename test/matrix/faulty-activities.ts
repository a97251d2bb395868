/**
 * The worker's activities with a fault at some steps.
 * @module
 */
import type { StepName, StepResult } from '../../src/domain/run/steps.js';
import type { ActivityMap } from '../integration/rig.js';
import type { Fault, Surroundings } from './fault.js';

type Activity = (input: unknown) => Promise<StepResult>;

export class FaultyActivities {
  /** What was found at each step that was struck; empty where nothing was. */
  readonly found = new Map<string, string>();
  private readonly armed = new Map<string, Fault>();
  private readonly attempts = new Map<string, () => void>();
  /** Set when host and run are there; no step runs before. */
  surroundings: Surroundings | null = null;

  /** Strikes at this step: once where it heals, else until the next `disarm`. */
  arm(step: string, fault: Fault): void {
    this.armed.set(step, fault);
  }

  disarm(): void {
    this.armed.clear();
    for (const letGo of this.attempts.values()) letGo();
  }

  wrap(activities: ActivityMap): ActivityMap {
    return Object.fromEntries(
      Object.entries(activities as Record<StepName, Activity>).map(([name, activity]) => [
        name,
        (input: unknown) => this.attempt(name, () => activity(input)),
      ]),
    );
  }

  private attempt(name: string, body: () => Promise<StepResult>): Promise<StepResult> {
    this.attempts.get(name)?.();
    const fault = this.armed.get(name);
    if (fault?.strike === undefined) return body();
    if (this.surroundings === null) throw new Error(`${name} runs before its host is known`);
    return fault.strike(body, {
      ...this.surroundings,
      step: name,
      happened: (problem = '') => {
        if (fault.shape === 'heals' || fault.shape === 'undoes') this.armed.delete(name);
        this.found.set(name, problem);
      },
      nextAttempt: () => new Promise((resolve) => this.attempts.set(name, resolve)),
    });
  }
}
