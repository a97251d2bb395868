/**
 * The runbook. One run per server; it survives the crash of everything but the server itself.
 * @module
 */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { ProvisionInput, RunStatus } from '../domain/run/messages.js';
import type { Outcome } from '../domain/run/outcomes.js';
import { PHASES, phaseOf, type PhaseName } from '../domain/run/phases.js';
import { lastingSteps, stepsOf } from '../domain/run/steps.js';
import { call } from './act.js';
import { release, toTheEnd } from './ending.js';
import { approvedDisks } from './disk-gate.js';
import { keptFindings, provisionedFindings } from './findings.js';
import { fail, failureType, reportFailure, rethrowBug } from './failure.js';
import { isolateGpus } from './isolate-gpus.js';
import { endOf } from './parked.js';
import { Run, type Facts } from './run.js';
import { Saga, runStep, takeOver, verifyStep } from './saga.js';

// Not marked PINNED here: a server refuses the mark from workers that are not versioned; versioned workers set it as their default.
export function provisionServer(input: ProvisionInput): Promise<RunStatus> {
  const run = new Run(input);
  return toTheEnd(run, { go: () => provision(run), closeFailed: (error) => closeFailed(run, error) });
}

async function provision(run: Run): Promise<Outcome> {
  await preflight(run);
  await verifyLeftOut(run);
  await claimHost(run);
  await phase(run, 'node-preparation');
  await phase(run, 'k3s');
  if (run.selected('gpu-isolation')) await isolateGpus(run);
  await phase(run, 'cozystack');
  await phase(run, 'kubevirt');
  await phase(run, 'nested-cluster');
  await phase(run, 'acceptance');
  run.findings = provisionedFindings(run);
  await release(run);
  return 'provisioned';
}

async function preflight(run: Run): Promise<void> {
  run.beginPhase('preflight');
  for (const step of stepsOf('preflight')) {
    const result = await runStep(run, step, { phases: run.input.phases });
    // What later phases compare with: how the host was before anything was changed.
    run.facts = result.facts as unknown as Facts;
    run.setPhase('preflight', 'done', result.summary);
  }
}

/** A phase left out is verified, not assumed, where a selected one builds on it. Read-only, and before anything is changed. */
async function verifyLeftOut(run: Run): Promise<void> {
  const needed = new Set(PHASES.filter((p) => run.selected(p.name)).flatMap((p) => p.needs));
  for (const { name } of PHASES) {
    if (run.selected(name) || !needed.has(name)) continue;
    try {
      await verifyPhase(run, name);
      run.setPhase(name, 'skipped', 'left out; verified as in place');
    } catch (error) {
      rethrowBug(error);
      if (isCancellation(error)) throw error;
      run.setPhase('preflight', 'failed', `phase ${name} is not in place`);
      throw fail(
        'Blocked',
        `phase ${name} was left out, but is not in place: ${reportFailure(error, name, null).message}`,
      );
    }
  }
}

async function verifyPhase(run: Run, name: PhaseName): Promise<void> {
  const { site } = run;
  if (name === 'gpu-isolation') {
    if (run.facts === null) throw new TypeError('preflight has not run');
    const state = await call(
      'isolation.read-state',
      { ...run.step, baseline: run.facts.baseline },
      { site, policy: 'read', summary: 'is the host isolated already' },
    );
    if (!state.isolated) throw fail('Blocked', state.why);
    return;
  }
  for (const step of lastingSteps(name)) await verifyStep(run, step);
}

/** Whatever phases are selected: nothing changes the host before this run owns it. */
async function claimHost(run: Run): Promise<void> {
  const changing = run.input.phases.some((name) => name !== 'preflight');
  if (!changing || run.selected('node-preparation')) return;
  await call('preparation.claim-host', run.step, { site: run.site, policy: 'change', summary: 'take the host lock' });
}

/** One linear phase: its steps in order. A failure for good asks a person: once more, or give up. */
async function phase(run: Run, name: PhaseName): Promise<void> {
  if (!run.selected(name)) return;
  const saga = new Saga(run);
  for (;;) {
    run.beginPhase(name);
    try {
      let summary = '';
      for (const step of stepsOf(name, run.input.spec.cluster.acceptance)) {
        const result = step.asks === 'disks' ? await approvedDisks(run, saga, step) : await saga.step(step);
        if (step.name === phaseOf(name).saidBy) summary = result.summary;
      }
      run.setPhase(name, 'done', summary);
      return;
    } catch (error) {
      rethrowBug(error);
      const end = await endOf(run, name, error);
      if (end === null) {
        run.failure = null;
        continue;
      }
      await CancellationScope.nonCancellable(() => unwind(run, name, saga));
      throw end;
    }
  }
}

/** Takes back what the phase's table says may be taken back. A failing undo is listed, and does not hide the first failure. */
async function unwind(run: Run, name: PhaseName, saga: Saga): Promise<void> {
  try {
    // The unit of a step that was cancelled goes on: undone meanwhile, its effect would come after.
    if (!saga.isEmpty) await takeOver(run);
    await saga.unwind();
    run.setPhase(name, 'failed', `${run.failure?.message ?? ''} (${phaseOf(name).fate})`);
  } catch (error) {
    rethrowBug(error);
    run.findings.push({ area: 'remains', text: `undo of ${name}: ${reportFailure(error, name, null).message}` });
  }
}

async function closeFailed(run: Run, error: unknown): Promise<void> {
  run.failure ??= reportFailure(error, run.currentPhase, run.currentStep);
  const outcome = outcomeOf(run, error);
  if (run.phaseState('preflight') !== 'done') run.setPhase('preflight', 'failed', run.failure.message);
  else await release(run);
  run.findings.push(...keptFindings(run));
  run.setOutcome(outcome);
}

/** Which of the closed set of outcomes a failure is. */
function outcomeOf(run: Run, error: unknown): Outcome {
  if (run.phaseState('preflight') !== 'done') return 'refused';
  if (run.phaseState('gpu-isolation') === 'undone') {
    const type = failureType(error);
    if (type === 'Rejected') return 'rejected';
    if (type === 'Expired') return 'expired';
    return 'restored';
  }
  return 'incomplete';
}
