/**
 * A reboot of a host that is committed: approved, entered as a trial is, with known-good as the default until it is proven, and safe whatever
 * happens. Shared by the runs that are about nothing else, and by those that put a newer kernel into it.
 * @module
 */
import { CancellationScope } from '@temporalio/workflow';
import type { PlannedReboot } from '../activities/planned-reboot.js';
import { planDifference, type RebootPlan } from '../domain/boot/plan.js';
import { trialToken, type BootOutcome } from '../domain/boot/reboot.js';
import type { Outcome } from '../domain/run/outcomes.js';
import { stepsOf, type Step, type StepNameOf } from '../domain/run/steps.js';
import { call } from './act.js';
import { approved } from './approval.js';
import { mayHoldHost, outcomeOf, uncordon } from './day-2.js';
import { release } from './ending.js';
import { fail, reportFailure, rethrowBug } from './failure.js';
import { endOf } from './parked.js';
import { reboot, settle, type RebootRequest } from './reboot.js';
import { intoKnownGood, needsHands } from './restore-host.js';
import type { Run } from './run.js';
import { runStep, takeOver } from './saga.js';
import { bootTrial, commit, confirm, prove } from './trial.js';
import { checkAllowance, currentBoot } from './undo-reboot.js';

/** Of phase 4, what makes a boot one that can undo itself: the default, the way back in time, and the one-shot entry. In this order. */
const STAGED = [
  'isolation.publish-known-good-default',
  'isolation.write-dead-man',
  'isolation.publish-trial-entry',
] as const satisfies readonly StepNameOf<'gpu-isolation'>[];

const staged = (): readonly Step[] =>
  stepsOf('gpu-isolation').filter(({ name }) => (STAGED as readonly string[]).includes(name));

/** What was approved, and how far it came. */
export interface Attempts {
  readonly approved: RebootPlan;
  readonly k3sRan: boolean;
  readonly token: string;
  /** The boot that the last reboot was to end. */
  oldBoot: string;
  /** Something that was never proven may be what update-grub made the default: then a boot of it is left for known-good. */
  defaultIsNew: boolean;
  /** What was approved has failed and is taken away: what is entered is what ran before, by the reboots that the way back has. */
  returns: boolean;
}

export const attemptsOf = (run: Run, { plan, k3sRuns }: PlannedReboot): Attempts => ({
  approved: plan,
  k3sRan: k3sRuns,
  token: trialToken(run.id),
  oldBoot: plan.bootId,
  defaultIsNew: false,
  returns: false,
});

type PlanActivity = 'reboot.read-plan' | 'upgrade.read-plan';

/** Throws Blocked. */
export async function readPlan(run: Run, name: PlanActivity): Promise<PlannedReboot> {
  const input = { ...run.step, cordonedAt: run.cordonedAt };
  const found = await call(name, input, {
    site: run.site,
    policy: 'read',
    summary: 'what exactly would be approved, and what stands in the way',
  });
  run.facts = { baseline: found.baseline, earlierBootSeconds: found.plan.earlierBootSeconds };
  return found;
}

/** Throws Rejected, Expired, Drifted, or Blocked when something came in the way meanwhile. */
export function approvedPlan(run: Run, name: PlanActivity, what: (plan: RebootPlan) => string): Promise<PlannedReboot> {
  return approved(run, {
    kind: 'reboot',
    read: async () => {
      const found = await readPlan(run, name);
      return { ...found, digest: found.plan.digest };
    },
    show: ({ plan }) => {
      run.plan = plan;
      run.setPhase('gpu-isolation', 'waiting', 'isolated and committed; WAITING FOR APPROVAL');
    },
    text: ({ plan, digest }) => `${run.input.spec.name} ${what(plan)}. Digest ${digest}`,
    difference: (before, now) => planDifference(before.plan, now.plan),
    rejected: 'rejected',
    changedTooOften: (times) => `the host changed ${times} times while it was being asked about`,
  });
}

/** Each attempt goes to its end; between two of them a person may give up, or cancel. */
export async function untilProven(run: Run, attempts: Attempts): Promise<void> {
  const { failure } = run;
  for (let number = 1; ; number += 1) {
    const failed = await CancellationScope.nonCancellable(() => attempt(run, attempts, number));
    if (failed === null) break;
    const end = await endOf(run, 'gpu-isolation', failed);
    if (end !== null) throw end;
    run.failure = failure;
    run.beginPhase('gpu-isolation');
  }
  run.findings.push({
    area: 'host',
    text: `${run.truthTable?.rows.length ?? 0} GPUs on vfio-pci, checked twice; the proven entry is the default; every file as committed`,
  });
  await CancellationScope.nonCancellable(() => release(run));
}

/** null when the host is proven; otherwise what failed, and the host is safe: see `makeSafe`. */
async function attempt(run: Run, attempts: Attempts, number: number): Promise<Error | null> {
  try {
    if (number > 1) await lookAgain(run, attempts);
    const bootId = (await bootThatRanBefore(run, attempts)) ?? (await enterStaged(run, attempts));
    await prove(run, attempts.k3sRan);
    await confirm(run, bootId);
    await commit(run, bootId, 'commit.close-reboot');
    return null;
  } catch (error) {
    rethrowBug(error);
    run.failure = reportFailure(error, 'gpu-isolation', run.currentStep);
    run.setPhase('gpu-isolation', 'running', `into a safe boot: ${run.failure.message}`);
    await makeSafe(run, attempts);
    return error as Error;
  }
}

/** Somebody may have been at the host meanwhile. Throws Blocked or Drifted. */
async function lookAgain(run: Run, { approved: before, returns }: Attempts): Promise<void> {
  const { plan } = await readPlan(run, 'reboot.read-plan');
  if (!returns && plan.bootId === before.bootId && plan.digest !== before.digest)
    throw fail(
      'Drifted',
      `${planDifference(before, plan)}. Give it up, and start again: a new plan needs a new approval`,
    );
}

/** On the way back, the boot that was never left: it is proven where it is. */
async function bootThatRanBefore(run: Run, { returns, approved: plan }: Attempts): Promise<string | null> {
  return returns && (await currentBoot(run)).bootId === plan.bootId ? plan.bootId : null;
}

async function enterStaged(run: Run, attempts: Attempts): Promise<string> {
  for (const step of staged()) await runStep(run, step);
  return enter(run, attempts);
}

/** What was approved, for the first time, with `between` done where a power cut already ends in known-good. The boot id of what came up. */
export async function enterForward(run: Run, attempts: Attempts, between: () => Promise<void>): Promise<string> {
  const [knownGood, ...rest] = staged();
  if (knownGood !== undefined) await runStep(run, knownGood);
  await between();
  for (const step of rest) await runStep(run, step);
  return bootTrial(run, forward(attempts));
}

const forward = ({ token, approved: plan }: Attempts): RebootRequest => ({
  purpose: 'forward',
  oldBootId: plan.bootId,
  trial: token,
});

/** The first reboot was approved by itself; what follows counts as the way back, of which the approval printed how much there may be. */
async function enter(run: Run, attempts: Attempts): Promise<string> {
  const { token, approved: plan, returns } = attempts;
  if (run.counts.forwardReboots === 0 && !returns) return bootTrial(run, forward(attempts));
  const here = await currentBoot(run);
  const bootId = here.bootId ?? '';
  // A person chose the entry at the console: there it is proven, too.
  if (here.kind === 'default' && bootId !== plan.bootId) return bootId;
  checkAllowance(run);
  attempts.oldBoot = bootId;
  return bootTrial(run, { purpose: 'undo', oldBootId: bootId, trial: token });
}

/**
 * Afterwards the host answers, runs known-good or a boot that was proven before, nothing is armed, and a power cut ends in known-good.
 * What cannot be made so waits for a person. GPUs stay isolated by their files: those were proven before, and are not what failed.
 */
const makeSafe = (run: Run, attempts: Attempts): Promise<void> => withHands(run, () => attemptSafety(run, attempts));

/** Until it succeeds: between two times a person looks at the host. */
export async function withHands(
  run: Run,
  body: () => Promise<void>,
  instructions: () => Parameters<typeof needsHands>[2] = () => intoKnownGood,
): Promise<void> {
  for (;;) {
    try {
      return await body();
    } catch (error) {
      rethrowBug(error);
      await needsHands(run, error, instructions());
    }
  }
}

/** Throws BootFailed. */
export async function attemptSafety(run: Run, attempts: Attempts): Promise<void> {
  const { site } = run;
  const request = { purpose: 'undo', oldBootId: attempts.oldBoot, trial: attempts.token } as const;
  const seen = await settle(run, request, { mayPush: true });
  if (seen.bootId === null) throw fail('BootFailed', `the host can't be reached: ${seen.kind} (${seen.evidence})`);
  await takeOver(run, attempts.approved.bootId);
  await call('restore.disarm', run.step, { site, policy: 'undo', summary: 'disarm, read back' });
  const here = await currentBoot(run);
  // Whichever entry is the default now: both have booted.
  if (here.bootId === attempts.approved.bootId) return;
  for (const step of staged().slice(0, 1)) await runStep(run, step);
  if (isProven(here, attempts)) return;
  checkAllowance(run);
  attempts.oldBoot = here.bootId ?? '';
  const back = await reboot(run, { purpose: 'undo', oldBootId: attempts.oldBoot, trial: null });
  if (back.kind !== 'fell-back')
    throw fail('BootFailed', `the host should be in known-good: ${back.kind} (${back.evidence})`, back);
}

/** A trial that failed its proof is not: it is left before its dead-man ends it. */
const isProven = ({ kind }: BootOutcome, { defaultIsNew }: Attempts): boolean =>
  kind === 'fell-back' || (kind === 'default' && !defaultIsNew);

/** `attempts` null: nobody approved. */
export async function closeFailed(run: Run, error: unknown, attempts: Attempts | null): Promise<void> {
  run.failure ??= reportFailure(error, run.currentPhase, run.currentStep);
  const held = mayHoldHost(run, error);
  run.setPhase(run.currentPhase ?? 'preflight', 'failed', run.failure.message);
  if (attempts !== null) await leave(run, attempts);
  else if (held) {
    await uncordon(run);
    run.findings.push({ area: 'now', text: 'the host was not rebooted, and nothing on it was changed' });
  }
  if (held) await release(run);
  run.setOutcome(givenUp(outcomeOf(error, held), attempts));
}

/** Something that came in the way after the approval is not the same as a refusal, which changes nothing. */
const givenUp = (outcome: Outcome, attempts: Attempts | null): Outcome =>
  attempts !== null && outcome === 'refused' ? 'incomplete' : outcome;

/** As before the run where the GPUs are isolated; else known-good stays the default, and the node cordoned. */
async function leave(run: Run, { approved: plan }: Attempts): Promise<void> {
  const { site } = run;
  const { name } = run.input.spec;
  try {
    const { kind, bootId } = await currentBoot(run);
    if (bootId === null || (bootId !== plan.bootId && kind !== 'default')) {
      const text = `the host runs ${kind === 'fell-back' ? 'known-good' : 'another entry'}, and known-good is the default: the GPUs are on their native drivers`;
      run.findings.push({ area: 'now', text });
      run.findings.push({
        area: 'remains',
        text: `the cordon of the node, until gpu-provision reboot ${name} succeeds`,
      });
      return;
    }
    const step = { ...run.step, bootId };
    const policy = 'undo';
    await call('commit.make-default', step, { site, policy, summary: 'the proven entry is the default, as before' });
    await call('commit.close-reboot', step, { site, policy, summary: 'remove the dead-man' });
    await uncordon(run);
    const what = bootId === plan.bootId ? 'was not rebooted' : 'runs its proven entry';
    run.findings.push({ area: 'now', text: `the host ${what}; every file is as it was committed` });
  } catch (failure) {
    rethrowBug(failure);
    const { message } = reportFailure(failure, null, null);
    run.findings.push({ area: 'remains', text: `known-good as the default, and the cordon of the node: ${message}` });
  }
}
