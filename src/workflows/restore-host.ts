/**
 * Compensation of phase 4: back to how the host was, and proof of it. It either succeeds or waits for a person; it never gives up.
 * @module
 */
import { classifyBoot, type BootOutcome } from '../domain/boot/reboot.js';
import { UNDO_ALLOWANCE } from '../domain/boot/plan.js';
import { call } from './act.js';
import { fail, reportFailure, rethrowBug } from './failure.js';
import { ask } from './question.js';
import { reboot, settle } from './reboot.js';
import { secondsOf } from './durations.js';
import { now, type Run } from './run.js';
import type { Saga } from './saga.js';

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

  // From here on nothing that was started before may change the host.
  run.epoch += 1;
  await call('restore.take-over', run.step, {
    site,
    policy: 'undo',
    summary: 'raise the fence, wait for units of this run',
  });
  staged.undoneIn ??= here.bootId;
  await staged.saga.unwind();

  const boot = await currentBoot(run);
  const rebooted = staged.approved && boot.bootId !== staged.bootId;
  if (rebooted && !isOrdinary(boot, run, staged)) await rebootIntoDefault(run, boot.bootId ?? '');
  const facts = await call(
    'restore.verify',
    { ...run.step, nativeDrivers: run.facts?.baseline.nativeDrivers ?? {}, rebooted },
    { site, policy: 'undo', summary: 'files, images, drivers and default entry as before' },
  );
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
}

async function rebootIntoDefault(run: Run, oldBootId: string): Promise<void> {
  if (run.counts.undoReboots >= UNDO_ALLOWANCE.reboots) {
    throw fail('BootFailed', `the ${UNDO_ALLOWANCE.reboots} reboots that undo may do are used up`);
  }
  const boot = await reboot(run, { purpose: 'undo', oldBootId, trial: null });
  if (boot.kind !== 'default')
    throw fail(
      'BootFailed',
      `after undo the host should be in its default entry: ${boot.kind} (${boot.evidence})`,
      boot,
    );
  run.ordinaryBootId = boot.bootId;
}

/** Whether the running boot is the host's own default and needs no reboot to be as before. */
function isOrdinary(boot: BootOutcome, run: Run, staged: Staged): boolean {
  if (boot.bootId === run.ordinaryBootId) return true;
  // The generated default, entered past custom.cfg before the undo, has no token and yet is the new image.
  if (boot.bootId === staged.undoneIn) return false;
  // With the direct strategy the trial has no token of its own, so only a reboot after undo proves it.
  return boot.kind === 'default' && run.input.spec.boot.strategy === 'known-good';
}

async function currentBoot(run: Run): Promise<BootOutcome> {
  const expected = { oldBootId: '', trial: null };
  const seen = await call(
    'reboot.look',
    { ...run.step, ...expected, number: run.rebootStatus?.number ?? 0, purpose: 'undo' },
    { site: run.site, policy: 'probe', summary: 'which boot is the host in now' },
  );
  if (seen.bootId === null || seen.commandLine === null)
    throw fail('BootFailed', `the host went away during undo: ${seen.evidence}`);
  const kind = classifyBoot({ bootId: seen.bootId, commandLine: seen.commandLine, uptimeSeconds: 0 }, expected, false);
  return { ...seen, kind };
}

/** Waits, without limit, for a person to say that the host can be looked at again. It trusts nothing: everything is done anew. */
export async function needsHands(run: Run, error: unknown): Promise<void> {
  const report = reportFailure(error, run.currentPhase, run.currentStep);
  run.failure ??= report;
  run.instructions = handsOn(run);
  if (run.currentPhase !== null) run.setPhase(run.currentPhase, 'waiting', `needs hands: ${report.message}`);
  run.setOutcome('needs-hands');
  run.handsNeeded += 1;
  const times = run.handsNeeded;
  await ask(run, {
    id: times === 1 ? 'needs-hands' : `needs-hands#${times}`,
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

function handsOn(run: Run): string[] {
  const { name, ssh, bmc, boot } = run.input.spec;
  const console =
    bmc.kind === 'none' ? 'go to the machine' : `open the BMC console (${bmc.kind === 'ipmi' ? bmc.host : bmc.url})`;
  const choose =
    boot.strategy === 'known-good'
      ? 'choose "gpu-provision known-good" in the GRUB menu'
      : 'log in; rm /etc/initramfs-tools/scripts/init-top/vfio-pci-override && update-initramfs -u -k all && reboot';
  return [
    console,
    choose,
    `check that ${ssh.host} answers by SSH`,
    `gpu-provision resume ${name} --note "what you did"`,
  ];
}
