/**
 * What a run took, one line for the log of the tests: figures for the docs, judged by nobody.
 * @module
 */
import type { RunStatus } from '../../src/domain/run/messages.js';
import { entryOf } from '../conformance/scenarios.js';
import type { SeenBoot } from './timeline.js';

const seconds = (from: number, to: number): string => `${((to - from) / 1_000).toFixed(1)} s`;

/** Times count from the moment the run's first trial began to boot, or from the cut of the power. */
export function report(name: string, status: RunStatus, boots: readonly SeenBoot[], cutAt?: number): void {
  const began = Date.parse(status.startedAt);
  const trial = boots.find((boot) => boot.startedAt > began && entryOf(boot.commandLine) === 'trial');
  const failedAt = cutAt ?? trial?.startedAt;
  const safe = boots.find((boot) => boot.startedAt > (failedAt ?? 0) && entryOf(boot.commandLine) !== 'trial');
  const parts = [
    `${status.outcome ?? 'open'} after ${seconds(began, Date.parse(status.endedAt ?? status.now))}`,
    `${boots.length - 1} boots after the first`,
    ...status.phases.flatMap((phase) =>
      phase.seconds === null ? [] : [`${phase.name} ${Math.round(phase.seconds)} s`],
    ),
  ];
  if (failedAt !== undefined && safe?.answeredAt) parts.push(`safe after ${seconds(failedAt, safe.answeredAt)}`);
  if (failedAt !== undefined && status.outcome === 'restored')
    parts.push(`restored after ${seconds(failedAt, Date.parse(status.endedAt ?? status.now))}`);
  const lags = lagsOf(status, boots);
  if (lags.length > 0) parts.push(`seen ${lags.join(', ')} after sshd answered`);
  process.stdout.write(`boot lab: ${name}: ${parts.join('; ')}\n`);
}

/** From the first answer of an SSH server to the run's word about that boot. */
function lagsOf(status: RunStatus, boots: readonly SeenBoot[]): readonly string[] {
  return status.events
    .filter((event) => event.kind === 'back')
    .flatMap((event) => {
      const seenAt = Date.parse(event.at);
      const boot = boots.findLast((b) => b.answeredAt !== null && b.answeredAt <= seenAt);
      return boot?.answeredAt ? [seconds(boot.answeredAt, seenAt)] : [];
    });
}
