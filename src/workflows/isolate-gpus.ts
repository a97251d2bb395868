/**
 * Phase 4, the only one that reboots: stage, ask, reboot once into the trial, prove it, commit. Whatever fails before the commit is
 * undone, and the undo is proven.
 * @module
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { CommitActivities } from '../activities/commit.js';
import type { IsolationState } from '../activities/isolation-state.js';
import type { BootOutcome } from '../domain/boot/reboot.js';
import { trialToken } from '../domain/boot/reboot.js';
import { planDifference, type RebootPlan } from '../domain/boot/plan.js';
import { stepsOf } from '../domain/run/steps.js';
import { call } from './act.js';
import { approved } from './approval.js';
import { record } from './audit.js';
import { factsOf, fail, failureType, reportFailure, rethrowBug, tableOf } from './failure.js';
import { reboot } from './reboot.js';
import { needsHands, restoreHost, type Staged } from './restore-host.js';
import type { Run } from './run.js';
import { Saga } from './saga.js';

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
    const boot = await reboot(run, { purpose: 'forward', oldBootId: plan.bootId, trial });
    if (boot.bootId === null || boot.kind !== (trial === null ? 'default' : 'trial')) throw bootFailed(run, boot);
    await prove(run, before.k3sRuns);
    // Still undoable: a dead-man that fired in between, or a default entry that is not what was proven, is found here.
    await take(run, PROVE, boot.bootId);
    const verified = boot.bootId;
    await CancellationScope.nonCancellable(() => commit(run, verified));
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

/** All within boot.verify, beside settling: the dead-man counts, and its window is longer than both. */
async function prove(run: Run, k3sRan: boolean): Promise<void> {
  const { settleSeconds, verifySeconds } = run.input.spec.boot;
  let deadline = Date.now() + verifySeconds * 1_000;
  const left = (): number => Math.max(1, Math.round((deadline - Date.now()) / 1_000));
  await verifyDevices(run, left());
  if (k3sRan) await awaitK3s(run, left());
  await sleep(settleSeconds * 1_000, { summary: 'settling: drivers may be rebound minutes after a boot' });
  deadline += settleSeconds * 1_000;
  await verifyDevices(run, left());
}

async function verifyDevices(run: Run, scheduleToCloseSeconds: number): Promise<void> {
  run.currentStep = 'isolation.verify-devices';
  try {
    const { artifacts, ...table } = await call(
      'isolation.verify-devices',
      { ...run.step, baseline: baselineOf(run) },
      {
        site: run.site,
        policy: 'read',
        summary: 'truth table: every GPU on vfio-pci, and nothing else',
        scheduleToCloseSeconds,
      },
    );
    run.keep(artifacts);
    run.truthTable = table;
  } catch (error) {
    run.keep(factsOf(error).artifacts);
    // The table that failed is the evidence people want most.
    run.truthTable = tableOf(error) ?? run.truthTable;
    throw error;
  }
  run.event('verified', `${run.truthTable.rows.length} of ${run.truthTable.rows.length} GPUs on vfio-pci`);
}

/** A cluster that was there before the reboot must be back after it; its API takes a while. */
async function awaitK3s(run: Run, scheduleToCloseSeconds: number): Promise<void> {
  run.currentStep = 'k3s.await-node';
  await call('k3s.await-node', run.step, {
    site: run.site,
    policy: 'cluster-wait',
    summary: 'wait until k3s is back',
    scheduleToCloseSeconds,
  });
  run.event('verified', 'k3s is back');
}

function baselineOf(run: Run): NonNullable<Run['facts']>['baseline'] {
  if (run.facts === null) throw new TypeError('preflight has not run');
  return run.facts.baseline;
}

function bootFailed(run: Run, boot: BootOutcome): Error {
  return fail('BootFailed', `reboot ${run.rebootStatus?.number ?? 1}: ${boot.kind}. ${boot.evidence}`, boot);
}

interface CommitStep {
  readonly name: keyof CommitActivities;
  readonly summary: string;
}

const PROVE: readonly CommitStep[] = [
  { name: 'commit.confirm-boot', summary: 'confirm, so that the dead-man stops' },
  { name: 'commit.check-default', summary: 'the generated default is what was proven' },
];

const COMMIT: readonly CommitStep[] = [
  { name: 'commit.make-default', summary: 'let the proven entry be the default' },
  { name: 'commit.close', summary: 'remove the dead-man, unmask timers, close the ledger' },
];

async function take(run: Run, steps: readonly CommitStep[], bootId: string): Promise<void> {
  for (const { name, summary } of steps) {
    run.beginStep(name, summary);
    const said = await call(name, { ...run.step, bootId }, { site: run.site, policy: 'undo', summary });
    run.endStep(name, 'done', { summary: said });
  }
}

/**
 * Forward only. What fails here waits for a person; the host is in the proven boot, and confirmed. Except: a host that left that
 * boot (a power cut) before the default was made is in known-good, where nothing is proven; that is thrown, and undone.
 */
async function commit(run: Run, bootId: string): Promise<void> {
  for (;;) {
    try {
      await take(run, COMMIT, bootId);
      await call('workloads.uncordon', run.step, { site: run.site, policy: 'undo', summary: 'let the scheduler back' });
      record(run, 'committed');
      const count = run.input.spec.gpus.addresses.length;
      run.setPhase(
        'gpu-isolation',
        'done',
        `${count}/${count} vfio-pci, checked twice; default entry = the one proven`,
      );
      return;
    } catch (error) {
      rethrowBug(error);
      if (failureType(error) === 'Drifted') throw error;
      await needsHands(run, error);
      // What a person has solved is no failure of a run that ends provisioned.
      run.failure = null;
    }
  }
}
