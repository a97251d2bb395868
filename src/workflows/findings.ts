/**
 * What is true after a run, one line per area, in the words of the steps that read it back.
 * @module
 */
import type { PhaseName } from '../domain/run/phases.js';
import type { Run } from './run.js';

interface Area {
  readonly area: string;
  /** Steps whose summaries say it; later ones first. */
  readonly steps: readonly string[];
  readonly phase: PhaseName;
  readonly prefix?: (run: Run) => string;
}

const AREAS: readonly Area[] = [
  { area: 'host', phase: 'gpu-isolation', steps: [] },
  {
    area: 'cluster',
    phase: 'kubevirt',
    steps: ['kubevirt.await-allocatable', 'cozystack.await-platform'],
    prefix: (run) => `${run.input.spec.cluster.name}: `,
  },
  { area: 'storage', phase: 'cozystack', steps: ['cozystack.create-pool'] },
  { area: 'nested', phase: 'nested-cluster', steps: ['nested.await-gpus'] },
  { area: 'proven', phase: 'acceptance', steps: ['acceptance.await-job'] },
];

export function provisionedFindings(run: Run): { area: string; text: string }[] {
  const { phases } = run.status();
  const steps = phases.flatMap((phase) => phase.steps);
  const found: { area: string; text: string }[] = [];
  for (const { area, phase, steps: names, prefix } of AREAS) {
    if (run.phaseState(phase) !== 'done') continue;
    const said = names.flatMap((name) => steps.find((step) => step.name === name)?.summary ?? []);
    const text = said.length > 0 ? said.join('; ') : (phases.find((p) => p.name === phase)?.summary ?? '');
    found.push({ area, text: `${prefix?.(run) ?? ''}${text}` });
  }
  if (run.plan !== null)
    found.push({
      area: 'watch',
      text: `kernel ${run.plan.kernel} is held: upgrade with  gpu-provision upgrade-kernel ${run.input.spec.name}`,
    });
  return found;
}

/** What a run that failed has made and nobody takes back by itself: disks that storage holds now. */
export function keptFindings(run: Run): { area: string; text: string }[] {
  const steps = run.status().phases.flatMap((phase) => phase.steps);
  const pool = steps.find((step) => step.name === 'cozystack.create-pool' && step.state === 'done');
  return pool === undefined ? [] : [{ area: 'storage', text: `${pool.summary}: made by this run, and kept` }];
}
