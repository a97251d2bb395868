/**
 * A worker of a site as a process that is killed right after the effect of each of some steps, once, before Temporal hears of it.
 * Arguments: site, workflow bundle, folder for a mark of each step that was struck, then the steps.
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { createActivities } from '../../src/worker.js';
import { createWorkers } from '../support/workers.js';

const [, , site = '', codePath = '', marks = '', ...steps] = process.argv;
/** What waits for the worker that is dead goes to the next one after this. */
const STICKY_MS = 1_000;

const { activities } = createActivities();
const mortal = Object.fromEntries(
  Object.entries(activities as Record<string, (input: unknown) => Promise<unknown>>).map(([name, activity]) => [
    name,
    async (input: unknown): Promise<unknown> => {
      const result = await activity(input);
      const mark = join(marks, name);
      if (!steps.includes(name) || existsSync(mark)) return result;
      writeFileSync(mark, '');
      process.kill(process.pid, 'SIGKILL');
      return result;
    },
  ]),
);
const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
const more = { stickyQueueScheduleToStartTimeout: STICKY_MS };
const workers = await createWorkers({ connection, site, activities: mortal, codePath, more });
await Promise.all(workers.map((worker) => worker.run()));
