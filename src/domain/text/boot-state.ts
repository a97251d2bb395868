/**
 * What a run's reboot is at.
 * @module
 */
import type { BootOutcomeKind } from '../boot/reboot.js';
import type { RunStatus } from '../run/messages.js';
import { secondsBetween, stopwatch } from './times.js';

/** A reboot was asked for and the host has not been seen since. */
export function isAway(status: RunStatus): boolean {
  return (
    status.reboot !== null &&
    status.reboot.requestedAt !== null &&
    status.reboot.outcome === null &&
    status.outcome === null
  );
}

/** Whether the forward reboot ended, and not in the trial. */
export function trialFailed({ reboot, plan }: RunStatus): boolean {
  if (reboot === null || reboot.outcome === null || reboot.purpose !== 'forward') return false;
  return reboot.outcome.kind !== (plan?.strategy === 'direct' ? 'default' : 'trial');
}

/** What made phase 4 fail may be the trial or anything before and after it. */
export function isUndoing(status: RunStatus): boolean {
  return status.failure !== null || trialFailed(status);
}

/** What a forward reboot enters. */
export const enteredBy = ({ purpose }: Pick<RunStatus, 'purpose'>): string =>
  purpose === 'reboot' ? 'the proven entry' : purpose === 'upgrade-kernel' ? 'the new kernel' : 'the new image';

/** Runs over a server that is isolated and stays so: their way back is an entry that was proven, not the host's own default. */
export const entersWhatIsProven = ({ purpose }: Pick<RunStatus, 'purpose'>): boolean =>
  purpose === 'reboot' || purpose === 'upgrade-kernel';

/** For a forward reboot that did not end in the trial. */
const FAILED: Readonly<Partial<Record<BootOutcomeKind, string>>> = {
  'fell-back': 'known-good: host is back on the OLD system; TRIED failed',
  'never-left': 'the host did not reboot',
  'same-boot': 'the host went silent, but did not reboot',
  'left-not-back': 'the host did not come back',
  'other-entry': 'the host booted an entry that is neither the new one nor known-good',
  flapping: 'the host keeps rebooting',
  'host-key-changed': 'something answers with ANOTHER HOST KEY',
};

/** null when the phase's own words say it better. `now` null: without running times. */
export function bootHeadline(status: RunStatus, now: string | null): string | null {
  const { reboot } = status;
  if (reboot === null) return null;
  const what = `reboot ${reboot.number}${reboot.purpose === 'undo' ? ' (undo)' : ''}`;
  if (isAway(status)) {
    const ago = (iso: string): string =>
      now === null ? `at ${iso.slice(11, 16)}Z` : `${stopwatch(secondsBetween(iso, now))} ago`;
    if (reboot.leftAt !== null) return `${what}, left ${ago(reboot.leftAt)}, not back yet`;
    return `${what}, asked ${ago(reboot.requestedAt ?? status.now)}, still shutting down`;
  }
  if (reboot.outcome === null || reboot.purpose === 'undo') return null;
  if (!isUndoing(status)) return hasRunningStep(status) ? null : `${what} ended in ${enteredBy(status)}; verifying`;
  return FAILED[reboot.outcome.kind]?.replace('TRIED', enteredBy(status)) ?? null;
}

/** The commit's steps say themselves what they do. */
function hasRunningStep({ phases }: RunStatus): boolean {
  return phases.some(({ steps }) => steps.some(({ state }) => state === 'running'));
}
