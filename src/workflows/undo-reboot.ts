/**
 * The reboot that ends an undo: it too must be able to undo itself.
 * @module
 */
import { UNDO_ALLOWANCE } from '../domain/boot/plan.js';
import { classifyBoot, type BootOutcome } from '../domain/boot/reboot.js';
import { call } from './act.js';
import { fail } from './failure.js';
import { reboot } from './reboot.js';
import type { Run } from './run.js';

/**
 * The ordinary default may have become one that never booted: an image that somebody rebuilt, a kernel that was damaged. So it is entered
 * once, as the trial was, and a host that does not come up in it is back in known-good after one power cycle. An order that GRUB did not
 * consume was lost in a power cut, or GRUB can't write: it is given again, within the allowance. Throws BootFailed.
 */
export async function rebootIntoOrdinary(run: Run): Promise<void> {
  const { site } = run;
  for (;;) {
    const said = await call('restore.publish-ordinary-once', run.step, {
      site,
      policy: 'undo',
      summary: 'the ordinary default once, known-good for every other boot',
    });
    run.event('undo', said);
    const { bootId } = await currentBoot(run);
    checkAllowance(run);
    await call('reboot.arm', run.step, { site, policy: 'undo', summary: 'arm the ordinary default, once, read back' });
    const boot = await reboot(run, { purpose: 'undo', oldBootId: bootId ?? '', trial: null });
    if (boot.bootId === null) throw notOrdinary(boot, boot.evidence);
    const { tried, reason } = await call('restore.disarm', run.step, {
      site,
      policy: 'undo',
      summary: 'disarm, read back',
    });
    if (boot.kind === 'default') {
      run.ordinaryBootId = boot.bootId;
      return;
    }
    if (boot.kind !== 'fell-back') throw notOrdinary(boot, boot.evidence);
    if (tried || isUsedUp(run)) throw notOrdinary(boot, reason);
    run.event('undo', `${reason}; it is given once more`);
  }
}

/** With the direct strategy there is nothing to fall back to. */
export async function rebootIntoDefault(run: Run, oldBootId: string): Promise<void> {
  checkAllowance(run);
  const boot = await reboot(run, { purpose: 'undo', oldBootId, trial: null });
  if (boot.kind !== 'default') throw notOrdinary(boot, boot.evidence);
  run.ordinaryBootId = boot.bootId;
}

/** A person approved no further reboot. */
export const isUsedUp = (run: Run): boolean => run.counts.undoReboots >= UNDO_ALLOWANCE.reboots;

export function checkAllowance(run: Run): void {
  if (isUsedUp(run)) throw fail('BootFailed', `the ${UNDO_ALLOWANCE.reboots} reboots that undo may do are used up`);
}

function notOrdinary(boot: BootOutcome, why: string): Error {
  return fail('BootFailed', `after undo the host should be in its default entry: ${boot.kind} (${why})`, boot);
}

/** Which boot the host is in, now. Throws BootFailed when it does not answer. */
export async function currentBoot(run: Run): Promise<BootOutcome> {
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
