/**
 * The reboot of a provisioned server: asks, and enters the proven entry as a trial is entered, with known-good as the default until it is
 * proven once more. It runs under the id of provisioning, so that the two exclude each other.
 * @module
 */
import type { Day2Input, RunStatus } from '../domain/run/messages.js';
import { claim, cordon } from './day-2.js';
import { toTheEnd } from './ending.js';
import { approvedPlan, attemptsOf, closeFailed, readPlan, untilProven, type Attempts } from './proven-reboot.js';
import { Run } from './run.js';

export function rebootServer(input: Day2Input): Promise<RunStatus> {
  const run = new Run({ ...input, phases: ['gpu-isolation'] }, 'reboot');
  let attempts: Attempts | null = null;
  return toTheEnd(run, {
    go: async () => {
      await preflight(run);
      run.beginPhase('gpu-isolation');
      await cordon(run);
      attempts = attemptsOf(run, await approvedPlan(run, 'reboot.read-plan', what));
      await untilProven(run, attempts);
      return 'rebooted';
    },
    closeFailed: (error) => closeFailed(run, error, attempts),
  });
}

const what = (): string => 'reboots into its proven entry, with known-good to fall back to';

/** Looks before it takes the host. Throws Blocked, or HostLocked when another run has it. */
async function preflight(run: Run): Promise<void> {
  run.beginPhase('preflight');
  await readPlan(run, 'reboot.read-plan');
  await claim(run, 'boot files and known-good are as they were committed; nothing stands in the way');
}
