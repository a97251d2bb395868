/**
 * A newer kernel on a provisioned server: asks, installs it beside the one that is proven, and boots it once with known-good as the default.
 * What fails before it is committed is taken away again, and the host is back in the entry that was proven. It runs under the id of
 * provisioning, so that the two exclude each other.
 * @module
 */
import { CancellationScope } from '@temporalio/workflow';
import type { KernelUpgrade } from '../domain/boot/kernel-upgrade.js';
import type { RebootPlan } from '../domain/boot/plan.js';
import type { Day2Input, RunStatus } from '../domain/run/messages.js';
import type { PolicyName } from '../domain/run/policy.js';
import { call } from './act.js';
import { record } from './audit.js';
import { claim, cordon } from './day-2.js';
import { release, toTheEnd } from './ending.js';
import { reportFailure, rethrowBug } from './failure.js';
import {
  approvedPlan,
  attemptSafety,
  attemptsOf,
  closeFailed,
  enterForward,
  readPlan,
  untilProven,
  withHands,
  type Attempts,
} from './proven-reboot.js';
import { intoKnownGood, resumeCommand } from './restore-host.js';
import { Run } from './run.js';
import { commit, confirm, prove } from './trial.js';

/** What a run has come to. */
interface Progress {
  attempts: Attempts | null;
  /** What it installed is gone, and the host in the entry that was proven before. */
  restored: boolean;
  /** An upgrade of a run that is lost was ended: the host is not as this run found it. */
  settled: string | null;
}

export function upgradeKernel(input: Day2Input): Promise<RunStatus> {
  const run = new Run({ ...input, phases: ['gpu-isolation'] }, 'upgrade-kernel');
  const progress: Progress = { attempts: null, restored: false, settled: null };
  return toTheEnd(run, {
    go: async () => {
      await preflight(run, progress);
      run.beginPhase('gpu-isolation');
      await cordon(run);
      const planned = await approvedPlan(run, 'upgrade.read-plan', what);
      progress.attempts = attemptsOf(run, planned);
      await upgrade(run, progress, progress.attempts, upgradeOf(planned.plan));
      return 'upgraded';
    },
    closeFailed: (error) => close(run, error, progress),
  });
}

const what = (plan: RebootPlan): string => {
  const { from, to, packages } = upgradeOf(plan);
  return `installs kernel ${to} beside ${from}, ${packages.length} packages, and boots it once, with known-good to fall back to`;
};

function upgradeOf({ upgrade: found }: RebootPlan): KernelUpgrade {
  if (found === undefined) throw new TypeError('the plan has no kernel');
  return found;
}

/** Looks before it takes the host; only the lists of what there is in the archive are read anew. Throws Blocked, or HostLocked. */
async function preflight(run: Run, progress: Progress): Promise<void> {
  const { site } = run;
  run.beginPhase('preflight');
  const lost = await call('upgrade.look', run.step, { site, policy: 'read', summary: 'what stands in the way' });
  await claim(run, 'boot files and known-good are as they were committed; nothing stands in the way');
  if (lost !== null) {
    const summary = `end the upgrade of run ${lost}, which is lost`;
    const said = await call('upgrade.settle-lost', run.step, { site, policy: 'undo', summary });
    progress.settled = `the upgrade of run ${lost} has ended: ${said}`;
    run.event('undo', progress.settled);
  }
  await call('upgrade.update-lists', run.step, { site, policy: 'long-change', summary: 'read the package lists anew' });
  await readPlan(run, 'upgrade.read-plan');
}

/** Cancelled or failed, until the new kernel is the default, it is taken back. */
async function upgrade(run: Run, progress: Progress, attempts: Attempts, kernel: KernelUpgrade): Promise<void> {
  try {
    run.setPhase('gpu-isolation', 'running', `kernel ${kernel.to} is installed and booted once`);
    const bootId = await enterForward(run, attempts, async () => {
      // Before the step: one that fails half-way may have done it.
      attempts.defaultIsNew = true;
      await take(run, 'upgrade.install', kernel, 'long-change', 'install exactly the packages that were approved');
      await take(run, 'upgrade.inspect', kernel, 'change', 'open the new image; everything else is as committed');
    });
    await take(run, 'upgrade.check-kernel', kernel, 'read', 'the new kernel runs');
    await prove(run, attempts.k3sRan);
    await confirm(run, bootId);
    await CancellationScope.nonCancellable(async () => {
      await commit(run, bootId, 'commit.close-upgrade');
      const text = `kernel ${kernel.to} runs and is the default, ${kernel.from} is what known-good boots`;
      run.findings.push({
        area: 'host',
        text: `${run.truthTable?.rows.length ?? 0} GPUs on vfio-pci, checked twice; ${text}`,
      });
      await release(run);
    });
  } catch (error) {
    rethrowBug(error);
    run.failure = reportFailure(error, 'gpu-isolation', run.currentStep);
    run.setPhase('gpu-isolation', 'running', `undoing: ${run.failure.message}`);
    await takeBack(run, attempts, kernel);
    progress.restored = true;
    throw error;
  }
}

async function take(
  run: Run,
  name: 'upgrade.install' | 'upgrade.inspect' | 'upgrade.check-kernel',
  kernel: KernelUpgrade,
  policy: PolicyName,
  summary: string,
): Promise<void> {
  run.beginStep(name, summary);
  try {
    const said = await call(name, { ...run.step, upgrade: kernel }, { site: run.site, policy, summary });
    run.endStep(name, 'done', { summary: said });
  } catch (error) {
    run.endStep(name, 'failed', { summary: reportFailure(error, null, null).message });
    throw error;
  }
}

/** First into a boot that has booted before, then without the kernel, and last into the entry that was proven, as a reboot is made. */
async function takeBack(run: Run, attempts: Attempts, kernel: KernelUpgrade): Promise<void> {
  const { site, failure } = run;
  let safe = false;
  const body = async (): Promise<void> => {
    safe = false;
    await attemptSafety(run, attempts);
    safe = true;
    const summary = `remove kernel ${kernel.to}; every file as committed`;
    const said = await call('upgrade.remove', run.step, { site, policy: 'undo', summary });
    run.compensations.push('upgrade.install');
    run.endStep('upgrade.install', 'undone', { summary: said });
    run.event('undo', `upgrade.install: ${said}`);
  };
  const instructions = (): typeof intoKnownGood => (safe ? withoutKernel(kernel) : intoKnownGood);
  await CancellationScope.nonCancellable(() => withHands(run, body, instructions));
  attempts.defaultIsNew = false;
  attempts.returns = true;
  await untilProven(run, attempts);
  run.failure = failure;
  run.findings.push({ area: 'now', text: `kernel ${kernel.to} is removed; the host runs ${kernel.from}` });
  run.setPhase('gpu-isolation', 'undone', failure?.message ?? '');
  record(run, 'restored');
}

/** The host answers, in a boot that has booted before; what is in the way is in the message. */
const withoutKernel =
  ({ from, packages }: KernelUpgrade) =>
  (run: Run): readonly string[] => [
    `log in to ${run.input.spec.ssh.host}, and see that uname -r says ${from}`,
    `dpkg --configure -a; apt-get purge --allow-change-held-packages ${packages.map(({ name }) => name).join(' ')}; update-grub`,
    'put back the files that are named, if there are any',
    resumeCommand(run),
  ];

async function close(run: Run, error: unknown, { attempts, restored, settled }: Progress): Promise<void> {
  if (restored) return run.setOutcome('restored');
  await closeFailed(run, error, attempts);
  if (settled === null) return;
  run.findings.push({ area: 'now', text: settled });
  if (run.outcome === 'refused') run.setOutcome('incomplete');
}
