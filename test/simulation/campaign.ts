/**
 * Many seeds one after the other, and what a failing one shrinks to.
 * @module
 */
import type { Guards } from '../workflow/world.js';
import { scheduleOf, simpler, type Schedule } from './schedule.js';
import { simulate, type SimulatedRun } from './simulate.js';
import type { WorkflowCode } from './workflow-instance.js';

/** A schedule for each seed. */
export type Draw = (seed: number) => Schedule;

export interface Broken {
  readonly seed: number;
  /** Breaks the same invariant as the seed's own, and nothing can be left out of it. */
  readonly schedule: Schedule;
  readonly run: SimulatedRun;
}

export interface Campaign {
  readonly runs: number;
  readonly faults: number;
  readonly tasks: number;
  readonly virtualDays: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly broken: Broken | null;
}

/** Ends at the first seed that breaks an invariant. */
export async function campaign(
  code: WorkflowCode,
  seeds: { readonly from: number; readonly count: number },
  guards: Partial<Guards> = {},
  draw: Draw = scheduleOf,
): Promise<Campaign> {
  const outcomes: Record<string, number> = {};
  const sums = { runs: 0, faults: 0, tasks: 0, seconds: 0 };
  for (let seed = seeds.from; seed < seeds.from + seeds.count; seed += 1) {
    const schedule = draw(seed);
    const run = await simulate(code, schedule, guards);
    sums.runs += 1;
    sums.faults += run.struck;
    sums.tasks += run.tasks;
    sums.seconds += run.seconds;
    const outcome = run.status?.outcome ?? 'open';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (run.violations.length > 0)
      return { ...summary(sums), outcomes, broken: await shrunk(code, { seed, schedule, run }, guards) };
  }
  return { ...summary(sums), outcomes, broken: null };
}

function summary(sums: {
  runs: number;
  faults: number;
  tasks: number;
  seconds: number;
}): Omit<Campaign, 'outcomes' | 'broken'> {
  return { runs: sums.runs, faults: sums.faults, tasks: sums.tasks, virtualDays: Math.round(sums.seconds / 86_400) };
}

/** The first seed that breaks an invariant, as it is. */
export async function firstBroken(
  code: WorkflowCode,
  seeds: { readonly from: number; readonly count: number },
  guards: Partial<Guards> = {},
  draw: Draw = scheduleOf,
): Promise<Broken | null> {
  for (let seed = seeds.from; seed < seeds.from + seeds.count; seed += 1) {
    const schedule = draw(seed);
    const run = await simulate(code, schedule, guards);
    if (run.violations.length > 0) return { seed, schedule, run };
  }
  return null;
}

/** Leaves out whatever can be left out while the same invariant breaks. */
async function shrunk(code: WorkflowCode, first: Broken, guards: Partial<Guards>): Promise<Broken> {
  const invariant = invariantOf(first.run);
  const { seed } = first;
  let found = first;
  for (let candidates = [...simpler(found.schedule)]; candidates.length > 0;) {
    const schedule = candidates.shift();
    if (schedule === undefined) break;
    const run = await simulate(code, schedule, guards);
    if (invariantOf(run) !== invariant) continue;
    found = { seed, schedule, run };
    candidates = [...simpler(schedule)];
  }
  return found;
}

const invariantOf = (run: SimulatedRun): string | undefined => run.violations[0]?.split(':')[0];
