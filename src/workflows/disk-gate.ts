/**
 * Storage destroys what is on a disk, so it asks: a person approves exactly the disks that are there, by serial, before one is taken.
 * @module
 */
import { diskQuestion } from '../domain/cluster/disks.js';
import type { Step, StepResult } from '../domain/run/steps.js';
import { call } from './act.js';
import { approved } from './approval.js';
import type { Run } from './run.js';
import type { Saga } from './saga.js';

/** Runs a step that takes disks once they are approved; without a question where there is nothing to take. Throws Rejected, Expired, Drifted. */
export async function approvedDisks(run: Run, saga: Saga, step: Step): Promise<StepResult> {
  const plan = await approved(run, {
    kind: 'disks',
    read: () =>
      call('storage.read-plan', run.step, {
        site: run.site,
        policy: 'read',
        summary: 'which disks exactly would be taken',
      }),
    isNothing: ({ disks }) => disks.length === 0,
    show: ({ disks, pool }) =>
      run.setPhase('cozystack', 'waiting', `DISKS WAIT FOR APPROVAL: ${disks.length} for pool ${pool}`),
    text: (asked) => diskQuestion(asked, run.input.spec.name),
    difference: () => 'the disks changed',
    rejected: 'disks rejected',
    changedTooOften: (times) => `the disks changed ${times} times while they were being asked about`,
  });
  if (plan.disks.length === 0) return saga.step(step);
  run.setPhase('cozystack', 'running');
  return saga.step(step, { approved: plan.digest });
}
