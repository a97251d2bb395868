/**
 * Gives the GPUs back to the host: asks, and then goes the way that a failed trial goes back, from a host that was committed. It runs under
 * the id of provisioning, so that the two exclude each other.
 * @module
 */
import { CancellationScope } from '@temporalio/workflow';
import { decommissionDifference, decommissionQuestion, type DecommissionPlan } from '../domain/decommission.js';
import type { Day2Input, RunStatus } from '../domain/run/messages.js';
import type { Outcome } from '../domain/run/outcomes.js';
import { stepsOf } from '../domain/run/steps.js';
import { call } from './act.js';
import { approved } from './approval.js';
import { claim, cordon, mayHoldHost, outcomeOf, uncordon } from './day-2.js';
import { release, toTheEnd } from './ending.js';
import { reportFailure, rethrowBug } from './failure.js';
import { needsHands, restoreHost } from './restore-host.js';
import { Run } from './run.js';
import { Saga } from './saga.js';

export function decommissionServer(input: Day2Input): Promise<RunStatus> {
  const run = new Run({ ...input, phases: ['kubevirt', 'gpu-isolation'] }, 'decommission');
  return toTheEnd(run, { go: () => decommission(run), closeFailed: (error) => closeFailed(run, error) });
}

async function decommission(run: Run): Promise<Outcome> {
  await preflight(run);
  run.beginPhase('gpu-isolation');
  await cordon(run);
  const plan = await approvedPlan(run);
  // A host that is half given back helps nobody: from here on it goes to the end, or waits for a person.
  await CancellationScope.nonCancellable(() => giveBack(run, plan));
  return 'decommissioned';
}

/** Looks before it takes the host. Throws Blocked, or HostLocked when another run has it. */
async function preflight(run: Run): Promise<void> {
  run.beginPhase('preflight');
  const plan = await readPlan(run);
  await claim(run, `run ${plan.committedBy} is committed here; nothing stands in the way`);
}

async function readPlan(run: Run): Promise<DecommissionPlan> {
  const { plan, baseline } = await call('decommission.read-plan', run.step, {
    site: run.site,
    policy: 'read',
    summary: 'what exactly would be given back, and what stands in the way',
  });
  run.facts = { baseline, earlierBootSeconds: [] };
  return plan;
}

/** Throws Rejected, Expired, Drifted, or Blocked when something came in the way meanwhile. */
function approvedPlan(run: Run): Promise<DecommissionPlan> {
  return approved(run, {
    kind: 'decommission',
    read: () => readPlan(run),
    show: () => run.setPhase('gpu-isolation', 'waiting', 'isolated and committed; WAITING FOR APPROVAL'),
    text: (plan) => decommissionQuestion(plan, run.input.spec.name),
    difference: decommissionDifference,
    rejected: 'rejected',
    changedTooOften: (times) => `the host changed ${times} times while it was being asked about`,
  });
}

async function giveBack(run: Run, plan: DecommissionPlan): Promise<void> {
  const { site } = run;
  run.beginPhase('kubevirt');
  // First, while nothing of the host is changed: what fails here leaves the GPUs isolated.
  const withdrawn = await call('decommission.withdraw-gpus', run.step, {
    site,
    policy: 'cluster-change',
    summary: 'KubeVirt offers the GPUs no more',
  });
  run.setPhase('kubevirt', 'undone', withdrawn);
  run.beginPhase('gpu-isolation');
  await begin(run);
  const saga = new Saga(run);
  saga.adopt(stepsOf('gpu-isolation'));
  await restoreHost(run, { saga, bootId: null, approved: true, trial: null });
  run.failure = null;
  run.setPhase('gpu-isolation', 'undone', `${plan.devices.length} GPUs are on the host's own drivers`);
  run.findings.push({ area: 'remains', text: plan.stays.join('; ') });
  await release(run);
}

/** Until it is done nothing is undone, and afterwards every power cut ends in a boot that has booted. */
async function begin(run: Run): Promise<void> {
  for (;;) {
    try {
      const said = await call('decommission.begin', run.step, {
        site: run.site,
        policy: 'undo',
        summary: 'open the ledger, make known-good the default',
      });
      return run.event('undo', said);
    } catch (error) {
      rethrowBug(error);
      await needsHands(run, error);
    }
  }
}

async function closeFailed(run: Run, error: unknown): Promise<void> {
  run.failure ??= reportFailure(error, run.currentPhase, run.currentStep);
  const held = mayHoldHost(run, error);
  run.setPhase(run.currentPhase ?? 'preflight', 'failed', run.failure.message);
  if (held) {
    await uncordon(run);
    await release(run);
    run.findings.push({ area: 'now', text: 'the GPUs stay isolated; nothing on the host was given back' });
  }
  run.setOutcome(outcomeOf(error, held));
}
