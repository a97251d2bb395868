/**
 * Phase 4, the only one that reboots: stage, ask, reboot once into the trial, prove it, commit. Whatever fails before the commit is
 * undone, and the undo is proven.
 * @module
 */
import { CancellationScope } from '@temporalio/workflow';
import type { IsolationState } from '../activities/isolation-state.js';
import { trialToken } from '../domain/boot/reboot.js';
import { planDifference, type RebootPlan } from '../domain/boot/plan.js';
import { stepsOf } from '../domain/run/steps.js';
import { call } from './act.js';
import { approved } from './approval.js';
import { reportFailure, rethrowBug } from './failure.js';
import { restoreHost, type Staged } from './restore-host.js';
import type { Run } from './run.js';
import { Saga } from './saga.js';
import { baselineOf, bootTrial, commit, confirm, prove } from './trial.js';

/** Known-good is the default since phase 2, whose packages may have rebuilt images: undone also where this phase fails before these steps. */
const SINCE_PREPARATION: ReadonlySet<string> = new Set([
  'isolation.hold-kernel',
  'isolation.publish-known-good-default',
  'isolation.check-saved-images',
]);

export async function isolateGpus(run: Run): Promise<void> {
  const { spec } = run.input;
  run.beginPhase('gpu-isolation');
  const before = await readState(run);
  if (before.isolated) return run.setPhase('gpu-isolation', 'done', `already isolated: ${before.why}`);
  await undoAbandoned(run, before);

  const trial = spec.boot.strategy === 'known-good' ? trialToken(run.id) : null;
  const staged: Staged = { saga: new Saga(run), bootId: null, approved: false, trial };
  staged.saga.adopt(stepsOf('gpu-isolation').filter(({ name }) => SINCE_PREPARATION.has(name)));
  try {
    for (const step of stepsOf('gpu-isolation')) await staged.saga.step(step);
    run.cordonedAt = await cordon(run);
    const plan = await approvedPlan(run, staged);
    staged.approved = true;
    run.setPhase('gpu-isolation', 'running', 'rebooting into the trial');
    const bootId = await bootTrial(run, { purpose: 'forward', oldBootId: plan.bootId, trial });
    await prove(run, before.k3sRuns);
    // Still undoable: a dead-man that fired in between, or a default entry that is not what was proven, is found here.
    await confirm(run, bootId);
    await CancellationScope.nonCancellable(() => commit(run, bootId, 'commit.close'));
  } catch (error) {
    rethrowBug(error);
    run.failure ??= reportFailure(error, 'gpu-isolation', run.currentStep);
    run.setPhase('gpu-isolation', 'running', `undoing: ${run.failure.message}`);
    await CancellationScope.nonCancellable(() => restoreHost(run, staged));
    run.setPhase('gpu-isolation', 'undone', run.failure.message);
    throw error;
  }
}

async function readState(run: Run): Promise<IsolationState> {
  return call(
    'isolation.read-state',
    { ...run.step, baseline: baselineOf(run) },
    { site: run.site, policy: 'read', summary: 'is the host isolated already' },
  );
}

/** A run that was terminated, or whose history is lost, left its staging: taken back first, so that "before" means before it. */
async function undoAbandoned(run: Run, state: IsolationState): Promise<void> {
  if (state.abandoned === null) return;
  run.event('undo', `run ${state.abandoned} left its changes behind; they are undone first`);
  const saga = new Saga(run);
  saga.adopt(stepsOf('gpu-isolation'));
  // A trial that it had armed may have been booted since preflight. It was approved there, and the approval printed what undo may do.
  const staged: Staged = {
    saga,
    bootId: state.inAbandonedTrial ? null : state.bootId,
    approved: state.inAbandonedTrial,
    trial: null,
  };
  await CancellationScope.nonCancellable(() => restoreHost(run, staged));
  // The ledger was set aside with that run: this one begins as on a fresh host.
  for (const step of stepsOf('node-preparation').slice(0, 3)) await staged.saga.step(step);
}

async function cordon(run: Run): Promise<string | null> {
  return call('workloads.cordon', run.step, {
    site: run.site,
    policy: 'change',
    summary: 'keep new work off the node',
  });
}

/** Throws Rejected, Expired or Drifted. */
function approvedPlan(run: Run, staged: Staged): Promise<RebootPlan> {
  const { name } = run.input.spec;
  return approved(run, {
    kind: 'reboot',
    read: () => readPlan(run),
    show: (plan) => {
      run.plan = plan;
      staged.bootId = plan.bootId;
      run.setPhase('gpu-isolation', 'waiting', 'staged; WAITING FOR APPROVAL');
    },
    text: ({ devices, digest }) =>
      `${name} boots a new image once; ${devices.length} GPUs move to vfio-pci. Digest ${digest}`,
    difference: planDifference,
    renew: async (before, now) => (now.bootId === before.bootId ? now : restage(run, staged)),
    rejected: 'rejected',
    changedTooOften: (times) => `the staged state changed ${times} times while it was being asked about`,
  });
}

/** The host rebooted while the question was open. Steps check first, so only what is missing is done again. */
async function restage(run: Run, staged: Staged): Promise<RebootPlan> {
  for (const step of stepsOf('gpu-isolation')) await staged.saga.step(step);
  return readPlan(run);
}

async function readPlan(run: Run): Promise<RebootPlan> {
  const input = {
    ...run.step,
    earlierBootSeconds: run.facts?.earlierBootSeconds ?? [],
    cordonedAt: run.cordonedAt,
    stays: ['packages and files of phase 2', 'k3s of phase 3'],
  };
  return call('isolation.read-plan', input, {
    site: run.site,
    policy: 'read',
    summary: 'what exactly would be approved',
  });
}
