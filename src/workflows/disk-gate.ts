/**
 * Storage destroys what is on a disk, so it asks: a person approves exactly the disks that are there, by serial, before one is taken.
 * @module
 */
import { diskQuestion, type DiskPlan } from '../domain/cluster/disks.js';
import type { Step, StepResult } from '../domain/run/steps.js';
import { call } from './act.js';
import { fail } from './failure.js';
import { ask } from './question.js';
import type { Run } from './run.js';
import type { Saga } from './saga.js';

/** How often a plan that drifted is put to the question again before the phase parks. */
const PLANS = 10;

/** Runs a step that takes disks once they are approved; without a question where there is nothing to take. Throws Rejected, Expired, Drifted. */
export async function approvedDisks(run: Run, saga: Saga, step: Step): Promise<StepResult> {
  const { boot, name } = run.input.spec;
  let plan = await readPlan(run);
  for (let n = 1; n <= PLANS; n += 1) {
    if (plan.disks.length === 0) return saga.step(step);
    run.disksAsked += 1;
    run.setPhase('cozystack', 'waiting', `DISKS WAIT FOR APPROVAL: ${plan.disks.length} for pool ${plan.pool}`);
    let now = plan;
    const unchanged = async (): Promise<boolean> => {
      now = await readPlan(run);
      return now.digest === plan.digest;
    };
    const receipt = await ask(run, {
      id: run.disksAsked === 1 ? 'disks' : `disks#${run.disksAsked}`,
      kind: 'disks',
      text: diskQuestion(plan, name),
      digest: plan.digest,
      expiresSeconds: boot.approvalExpiresSeconds,
      reminderSeconds: boot.approvalReminderSeconds,
      stillValid: unchanged,
    });
    if (receipt?.choice === 'reject')
      throw fail('Rejected', `disks rejected by ${receipt.by}${receipt.reason === '' ? '' : `: ${receipt.reason}`}`);
    if (receipt !== null && (await unchanged())) {
      run.setPhase('cozystack', 'running');
      return saga.step(step, { approved: plan.digest });
    }
    run.voided[plan.digest] = 'the disks changed';
    run.event('drift', `digest ${plan.digest} is void: the disks changed. New digest ${now.digest}`);
    plan = now;
  }
  throw fail('Drifted', `the disks changed ${PLANS} times while they were being asked about`);
}

function readPlan(run: Run): Promise<DiskPlan> {
  return call('storage.read-plan', run.step, {
    site: run.site,
    policy: 'read',
    summary: 'which disks exactly would be taken',
  });
}
