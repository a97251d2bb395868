/**
 * Compensation of phase 4: back to how the host was, and proof of it. It either succeeds or waits for a person; it never gives up.
 * @module
 */
import type { RestoredFacts, RestoredInput } from '../activities/restore.js';
import type { BootOutcome } from '../domain/boot/reboot.js';
import type { Step } from '../domain/run/steps.js';
import { call } from './act.js';
import { consoleGivenBack } from './console.js';
import { record } from './audit.js';
import { fail, reportFailure, rethrowBug } from './failure.js';
import { ask } from './question.js';
import { settle } from './reboot.js';
import { secondsOf } from './durations.js';
import { now, type Run } from './run.js';
import { takeOver, type Saga } from './saga.js';
import { currentBoot, isUsedUp, rebootIntoDefault, rebootIntoOrdinary } from './undo-reboot.js';

export interface Staged {
  readonly saga: Saga;
  /** Boot that ran while staging: while it runs, undoing needs no reboot. */
  bootId: string | null;
  /** The boot in which the files were put back, so that what it runs is from before that. */
  undoneIn?: string;
  /** Whether a person approved the reboot and, with it, what undo may do. Without that, undo reboots and power-cycles nothing. */
  approved: boolean;
  /** The trial's token, as the reboot expects it. */
  readonly trial: string | null;
}

/** Call in a non-cancellable scope. Returns when the host is verified to be as before. */
export async function restoreHost(run: Run, staged: Staged): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      run.event('undo', attempt === 1 ? 'undo begins' : `undo, attempt ${attempt}`);
      return await attemptRestore(run, staged);
    } catch (error) {
      rethrowBug(error);
      await needsHands(run, error);
    }
  }
}

async function attemptRestore(run: Run, staged: Staged): Promise<void> {
  const { site } = run;
  const here = await settle(
    run,
    { purpose: 'undo', oldBootId: staged.bootId ?? '', trial: staged.trial },
    { mayPush: staged.approved },
  );
  if (here.bootId === null) throw fail('BootFailed', `the host can't be reached: ${here.kind} (${here.evidence})`);

  const { committed } = await takeOver(run, staged.bootId);
  // Its first step opens the ledger anew. What an earlier run committed is not this one's to undo.
  if (committed === true && !staged.approved)
    return run.event('undo', 'nothing was staged; the host is as this run found it');
  staged.undoneIn ??= here.bootId;
  await staged.saga.unwind((step) => !isLast(step));

  const boot = await currentBoot(run);
  const rebooted = staged.approved && boot.bootId !== staged.bootId;
  const leave = rebooted && !isOrdinary(boot, run, staged);
  const direct = run.input.spec.boot.strategy === 'direct';
  if (leave && !direct) {
    await rebootIntoOrdinary(run);
    await verify(run, { rebooted, customCfgStays: true });
  }
  await staged.saga.unwind(isLast);
  if (leave && direct) await rebootIntoDefault(run, boot.bootId ?? '');
  const facts = await verify(run, { rebooted });
  await call('workloads.uncordon', run.step, { site, policy: 'undo', summary: 'let the scheduler back' });
  await call('restore.close-ledger', run.step, { site, policy: 'undo', summary: 'set the ledger aside' });
  run.findings = [...facts.lines];
  if (!rebooted && boot.kind === 'fell-back') {
    run.findings.push({
      area: 'boot',
      text: 'the host runs the known-good copy of its own system; the next boot is its ordinary default',
    });
  }
  run.event('undo', 'the host is verified to be as before');
  record(run, 'restored');
}

/**
 * What is undone only when the host runs its ordinary default again: until then custom.cfg keeps known-good the default, and no package
 * may rebuild an image.
 */
const isLast = ({ name }: Step): boolean =>
  name === 'isolation.publish-known-good-default' || name === 'isolation.hold-kernel';

async function verify(run: Run, what: Pick<RestoredInput, 'rebooted' | 'customCfgStays'>): Promise<RestoredFacts> {
  return call(
    'restore.verify',
    { ...run.step, nativeDrivers: run.facts?.baseline.nativeDrivers ?? {}, ...what },
    { site: run.site, policy: 'undo', summary: 'files, images, drivers and default entry as before' },
  );
}

/** Whether the running boot is the host's own default and needs no reboot to be as before. */
function isOrdinary(boot: BootOutcome, run: Run, staged: Staged): boolean {
  if (boot.bootId === run.ordinaryBootId) return true;
  // The generated default, entered past custom.cfg before the undo, has no token and yet is the new image.
  if (boot.bootId === staged.undoneIn) return false;
  // With the direct strategy the trial has no token of its own, so only a reboot after undo proves it.
  return boot.kind === 'default' && run.input.spec.boot.strategy === 'known-good';
}

/** Waits, without limit, for a person to say that the host can be looked at again. It trusts nothing: everything is done anew. */
export async function needsHands(
  run: Run,
  error: unknown,
  instructions: (run: Run) => readonly string[] = handsOn,
): Promise<void> {
  const report = reportFailure(error, run.currentPhase, run.currentStep);
  run.failure ??= report;
  await consoleGivenBack(run);
  run.instructions = [...instructions(run)];
  if (run.currentPhase !== null) run.setPhase(run.currentPhase, 'waiting', `needs hands: ${report.message}`);
  run.setOutcome('needs-hands');
  await ask(run, {
    name: 'needs-hands',
    kind: 'needs-hands',
    text: `the host can't be proven safe: ${report.message}`,
    digest: '',
    expiresSeconds: null,
    reminderSeconds: secondsOf.needsHandsReminder,
  });
  run.setOutcome(null);
  run.instructions = [];
  run.event('resume', `resumed at ${now()}: the host is looked at again`);
}

export const resumeCommand = (run: Run): string => `gpu-provision resume ${run.input.spec.name} --note "what you did"`;

function handsOn(run: Run): readonly string[] {
  const { ssh } = run.input.spec;
  if (cannotReachOrdinary(run)) {
    return [
      `log in to ${ssh.host}: it runs ${run.rebootStatus?.outcome?.kind === 'fell-back' ? 'known-good' : 'another entry'}`,
      'put right what its ordinary entry boots: apt-get install --reinstall linux-image-$(uname -r); update-initramfs -u -k $(uname -r)',
      'choose its ordinary entry, the first, once in the GRUB menu at the console, and see that it comes up',
      resumeCommand(run),
    ];
  }
  return intoKnownGood(run);
}

export function openConsole(run: Run): string {
  const { bmc } = run.input.spec;
  return bmc.kind === 'none'
    ? 'go to the machine'
    : `open the BMC console (${bmc.kind === 'ipmi' ? bmc.host : bmc.url})`;
}

/** What a person does with a host that does not answer, or is in an entry that nobody asked for. */
export function intoKnownGood(run: Run): readonly string[] {
  const { ssh, boot } = run.input.spec;
  const choose =
    boot.strategy === 'known-good'
      ? 'choose "gpu-provision known-good" in the GRUB menu'
      : 'log in; rm /etc/initramfs-tools/scripts/init-top/vfio-pci-override && update-initramfs -u -k all && reboot';
  return [openConsole(run), choose, `check that ${ssh.host} answers by SSH`, resumeCommand(run)];
}

/** The host answers, and undo can't bring it into its ordinary entry: that was tried, or no reboot is left to try it. */
function cannotReachOrdinary(run: Run): boolean {
  const reboot = run.rebootStatus;
  if (reboot?.purpose !== 'undo' || reboot.outcome === null || reboot.outcome.bootId === null) return false;
  return isUsedUp(run) || (reboot.requestedAt !== null && reboot.outcome.kind === 'fell-back');
}
