/**
 * `npm run simulate -- --seeds N [--from S]` runs N seeded schedules; `-- --seed S` shows what happens in one. The last line has the figures.
 * @module
 */
import { Command, InvalidArgumentError } from 'commander';
import { bundledWorkflows } from '../support/workflow-bundle.js';
import { campaign } from './campaign.js';
import { scheduleOf } from './schedule.js';
import { simulate } from './simulate.js';
import { WorkflowCode } from './workflow-instance.js';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError(`"${text}" is not a whole number`);
  return value;
}

const options = new Command('simulate')
  .option('--seeds <n>', 'how many schedules', wholeNumber, 1_000)
  .option('--from <seed>', 'the first seed', wholeNumber, 1)
  .option('--seed <seed>', 'one seed alone, with its trace', wholeNumber)
  .parse()
  .opts<Options>();

const code = new WorkflowCode(await bundledWorkflows());
const broken = options.seed === undefined ? await many(options) : await one(options.seed);
process.exitCode = broken ? 1 : 0;

async function one(seed: number): Promise<boolean> {
  const schedule = scheduleOf(seed);
  const run = await simulate(code, schedule);
  console.log(JSON.stringify(schedule, null, 1));
  for (const line of [...run.trace, ...run.violations.map((violation) => `BROKEN ${violation}`)]) console.log(line);
  console.log(`seed ${seed}: ${run.status?.outcome ?? 'open'}, ${run.struck} faults, ${run.violations.length} broken`);
  return run.violations.length > 0;
}

async function many({ seeds: count, from }: Options): Promise<boolean> {
  const began = process.hrtime.bigint();
  const { runs, faults, tasks, virtualDays, outcomes, broken: found } = await campaign(code, { from, count });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (found !== null) {
    for (const line of found.run.trace) console.log(line);
    console.log(`seed ${found.seed} shrinks to ${JSON.stringify(found.schedule)}`);
    for (const violation of found.run.violations) console.log(`BROKEN ${violation}`);
  }
  const ends = Object.entries(outcomes).map(([outcome, times]) => `${times} ${outcome}`);
  console.log(
    `${runs} schedules from seed ${from}, ${faults} faults, ${tasks} workflow tasks, ${virtualDays} days of virtual time ` +
      `in ${seconds.toFixed(0)} s: ${ends.join(', ')}; ${found === null ? 'no invariant' : `seed ${found.seed}`} broken`,
  );
  return found !== null;
}
