/**
 * What runs over a provisioned server have in common: the node is cordoned while they ask, and how they end when nobody approved.
 * @module
 */
import type { Outcome } from '../domain/run/outcomes.js';
import { call } from './act.js';
import { failureType, reportFailure, rethrowBug } from './failure.js';
import type { Run } from './run.js';

export async function cordon(run: Run): Promise<void> {
  run.cordonedAt = await call('workloads.cordon', run.step, {
    site: run.site,
    policy: 'change',
    summary: 'keep new work off the node',
  });
}

/** A node that stays cordoned is told, not a failure. */
export async function uncordon(run: Run): Promise<void> {
  // The cordon of another run, which holds the host, is not ours to take.
  if (run.phaseState('gpu-isolation') === 'pending') return;
  try {
    await call('workloads.uncordon', run.step, { site: run.site, policy: 'undo', summary: 'let the scheduler back' });
  } catch (error) {
    rethrowBug(error);
    run.findings.push({ area: 'remains', text: `cordon: ${reportFailure(error, null, null).message}` });
  }
}

/** Once nothing stands in the way. Throws HostLocked when another run has the host. */
export async function claim(run: Run, said: string): Promise<void> {
  // Before the claim: one that is cancelled may have its effect all the same, and is given back.
  run.setPhase('preflight', 'done', said);
  await call('preparation.claim-host', run.step, { site: run.site, policy: 'change', summary: 'take the host lock' });
}

/** Whether the run may have the host, so that it has to give it back. */
export const mayHoldHost = (run: Run, error: unknown): boolean =>
  run.phaseState('preflight') === 'done' && failureType(error) !== 'HostLocked';

/** @param held Whether the run may have had the host; without it, it is refused. */
export function outcomeOf(error: unknown, held: boolean): Outcome {
  const type = failureType(error);
  if (!held || type === 'Blocked') return 'refused';
  if (type === 'Rejected') return 'rejected';
  if (type === 'Expired') return 'expired';
  return 'incomplete';
}
