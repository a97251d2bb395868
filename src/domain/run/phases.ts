/**
 * The eight phases, in the order they run. Names are those of UX, search attributes and `--phases`.
 * @module
 */

import type { StepName } from './steps.js';

export const PHASE_NAMES = [
  'preflight',
  'node-preparation',
  'k3s',
  'gpu-isolation',
  'cozystack',
  'kubevirt',
  'nested-cluster',
  'acceptance',
] as const;

export type PhaseName = (typeof PHASE_NAMES)[number];

export interface Phase {
  readonly name: PhaseName;
  /** 1 to 8. */
  readonly number: number;
  /** As people read it in `watch`. */
  readonly title: string;
  readonly summary: string;
  /** What a failure for good means for this phase's effects (design, section 2). */
  readonly afterFailure: 'refused' | 'parks' | 'undone';
  /** The step whose summary stands for the phase in one line. */
  readonly saidBy: StepName;
  /** As the plan says it. */
  readonly fate: string;
  /** Phases whose result it builds on: when one of these is left out of a run, it is verified first. */
  readonly needs: readonly PhaseName[];
}

export const PHASES: readonly Phase[] = [
  {
    name: 'preflight',
    number: 1,
    title: 'preflight',
    summary: 'read-only facts and checks',
    afterFailure: 'refused',
    saidBy: 'preflight.check',
    fate: 'changes nothing',
    needs: [],
  },
  {
    name: 'node-preparation',
    number: 2,
    title: 'preparation',
    summary: 'known-good copy, packages, modules, sysctl, storage filters',
    afterFailure: 'parks',
    saidBy: 'preparation.install-packages',
    fate: 'stays after failure',
    needs: [],
  },
  {
    name: 'k3s',
    number: 3,
    title: 'k3s',
    summary: 'pinned k3s server; the node stays NotReady until the CNI of phase 5',
    afterFailure: 'parks',
    saidBy: 'k3s.await-node',
    fate: 'removed if phase 3 fails',
    needs: ['node-preparation'],
  },
  {
    name: 'gpu-isolation',
    number: 4,
    title: 'gpu isolation',
    summary: 'stage, approval, one-shot reboot, wait, verify, commit',
    afterFailure: 'undone',
    saidBy: 'isolation.inspect-images',
    fate: 'undone after failure',
    needs: ['node-preparation'],
  },
  {
    name: 'cozystack',
    number: 5,
    title: 'cozystack',
    summary: 'operator, platform package, root tenant',
    afterFailure: 'parks',
    saidBy: 'cozystack.await-platform',
    fate: 'stays',
    needs: ['k3s'],
  },
  {
    name: 'kubevirt',
    number: 6,
    title: 'kubevirt',
    summary: 'GPUs as permitted host devices; the node must offer them',
    afterFailure: 'parks',
    saidBy: 'kubevirt.await-allocatable',
    fate: 'undone',
    needs: ['cozystack', 'gpu-isolation'],
  },
  {
    name: 'nested-cluster',
    number: 7,
    title: 'nested cluster',
    summary: 'tenant cluster with GPUs and the GPU Operator',
    afterFailure: 'parks',
    saidBy: 'nested.await-gpus',
    fate: 'removed only if this run created it',
    needs: ['kubevirt'],
  },
  {
    name: 'acceptance',
    number: 8,
    title: 'acceptance',
    summary: 'a GPU job on every GPU it can reach',
    afterFailure: 'parks',
    saidBy: 'acceptance.await-job',
    fate: 'job deleted afterwards',
    needs: ['nested-cluster'],
  },
];

export function phaseOf(name: PhaseName): Phase {
  const phase = PHASES.find((p) => p.name === name);
  if (phase === undefined) throw new RangeError(`no phase named ${name}`);
  return phase;
}
