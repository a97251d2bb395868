/**
 * Every step of a run as data. A step is one activity of the same name, and one more (`NAME.undo`) if it can be undone.
 * The Temporal UI therefore reads as the runbook. `activities/` holds what each step does.
 * @module
 */
import type { AcceptanceMode } from '../spec.js';
import type { WithArtifacts } from './artifacts.js';
import { PHASE_NAMES, type PhaseName } from './phases.js';

/** Which row of the policy table (activities' timeouts and retries) a step uses. */
export type StepPolicy = 'read' | 'change' | 'long-change' | 'cluster-change' | 'cluster-wait';

export interface Step {
  /** `phase.step`, the activity's name. */
  readonly name: string;
  /** A sentence without a full stop, for UI and log. */
  readonly summary: string;
  readonly policy: StepPolicy;
  readonly undo: boolean;
  /** The question that a person answers before the step may change anything. */
  readonly asks?: 'disks';
  /** Part of the phase only where the inventory asks for this acceptance. */
  readonly acceptance?: AcceptanceMode;
}

export const STEPS = {
  preflight: [
    { name: 'preflight.check', summary: 'read the facts of the host and judge them', policy: 'read', undo: false },
  ],
  'node-preparation': [
    {
      name: 'preparation.claim-host',
      summary: 'take the host lock and open the ledger',
      policy: 'change',
      undo: false,
    },
    {
      name: 'preparation.copy-known-good',
      summary: 'copy the kernel and initrd that booted, before packages rebuild them',
      policy: 'change',
      undo: false,
    },
    {
      name: 'preparation.publish-known-good-default',
      summary: 'make the entry that booted the default, before packages rebuild its image',
      policy: 'change',
      undo: false,
    },
    { name: 'preparation.install-packages', summary: 'install packages', policy: 'long-change', undo: false },
    { name: 'preparation.load-modules', summary: 'load kernel modules now and at boot', policy: 'change', undo: false },
    { name: 'preparation.set-sysctl', summary: 'set kernel parameters', policy: 'change', undo: false },
    { name: 'preparation.exclude-drbd', summary: 'keep multipath off DRBD devices', policy: 'change', undo: false },
    {
      name: 'preparation.enable-services',
      summary: 'enable and start iscsid and multipathd',
      policy: 'change',
      undo: false,
    },
    { name: 'preparation.filter-lvm', summary: 'keep LVM off volumes of guests', policy: 'change', undo: false },
    {
      name: 'preparation.configure-containerd',
      summary: 'write the containerd drop-in before k3s starts first',
      policy: 'change',
      undo: false,
    },
    {
      name: 'preparation.validate-files',
      summary: 'check what would break every boot, known-good too',
      policy: 'read',
      undo: false,
    },
  ],
  k3s: [
    {
      name: 'k3s.configure',
      summary: 'write the k3s configuration, its token and registry mirrors',
      policy: 'change',
      undo: true,
    },
    { name: 'k3s.install', summary: 'download the pinned k3s and check its hash', policy: 'long-change', undo: true },
    { name: 'k3s.start', summary: 'enable and start the k3s service', policy: 'long-change', undo: true },
    { name: 'k3s.await-node', summary: 'wait for /readyz and the Node object', policy: 'cluster-wait', undo: false },
  ],
  'gpu-isolation': [
    {
      name: 'isolation.save-boot-state',
      summary: 'save every boot image, grub.cfg and grubenv in the ledger',
      policy: 'change',
      undo: false,
    },
    { name: 'isolation.hold-kernel', summary: 'hold kernel packages, mask apt timers', policy: 'change', undo: true },
    {
      name: 'isolation.publish-known-good-default',
      summary: 'make the entry that already booted the default',
      policy: 'change',
      undo: true,
    },
    {
      name: 'isolation.check-saved-images',
      summary: 'prove that the saved images can be put back',
      policy: 'change',
      undo: true,
    },
    { name: 'isolation.write-modules', summary: 'put the vfio modules into every image', policy: 'change', undo: true },
    {
      name: 'isolation.write-hook',
      summary: 'write the init-top hook vfio-pci-override',
      policy: 'change',
      undo: true,
    },
    {
      name: 'isolation.write-launcher',
      summary: 'write the launcher that runs the hook before udev',
      policy: 'change',
      undo: true,
    },
    {
      name: 'isolation.write-command-line',
      summary: 'add iommu=pt to the kernel command line',
      policy: 'change',
      undo: true,
    },
    { name: 'isolation.build-images', summary: 'rebuild every boot image', policy: 'long-change', undo: false },
    {
      name: 'isolation.inspect-images',
      summary: 'open every image: order, mode, hash, modules',
      policy: 'change',
      undo: false,
    },
    {
      name: 'isolation.write-dead-man',
      summary: 'install the dead-man service for trial boots',
      policy: 'change',
      undo: true,
    },
    { name: 'isolation.publish-trial-entry', summary: 'add the one-shot trial entry', policy: 'change', undo: true },
  ],
  cozystack: [
    {
      name: 'cozystack.install-operator',
      summary: "install the Cozystack operator through k3s's own Helm controller",
      policy: 'cluster-change',
      undo: false,
    },
    {
      name: 'cozystack.await-operator',
      summary: 'wait for the operator, its kinds and its package source',
      policy: 'cluster-wait',
      undo: false,
    },
    { name: 'cozystack.apply-platform', summary: 'apply the platform Package', policy: 'cluster-change', undo: false },
    // Before the wait for every release: some of them wait for a volume themselves.
    {
      name: 'cozystack.await-linstor',
      summary: 'wait for LINSTOR and its satellite on the node',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'cozystack.create-pool',
      summary: 'give the disks to the storage pool',
      policy: 'cluster-change',
      undo: false,
      asks: 'disks',
    },
    {
      name: 'cozystack.create-storage-classes',
      summary: 'create the StorageClasses local and replicated',
      policy: 'cluster-change',
      undo: false,
    },
    {
      name: 'cozystack.await-releases',
      summary: 'wait for every Package and HelmRelease, and for the node',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'cozystack.await-platform',
      summary: 'wait for Cluster API, the Cozystack API and KubeVirt; list the HelmReleases again',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'cozystack.configure-root-tenant',
      summary: 'give the root tenant etcd and ingress',
      policy: 'cluster-change',
      undo: false,
    },
    {
      name: 'cozystack.await-root-tenant',
      summary: 'wait for etcd and ingress of the root tenant',
      policy: 'cluster-wait',
      undo: false,
    },
  ],
  kubevirt: [
    {
      name: 'kubevirt.permit-gpus',
      summary: 'permit the GPUs: Package value and live KubeVirt CR',
      policy: 'cluster-change',
      undo: true,
    },
    {
      name: 'kubevirt.await-allocatable',
      summary: 'wait until the node offers every GPU',
      policy: 'cluster-wait',
      undo: false,
    },
  ],
  'nested-cluster': [
    { name: 'nested.create-tenant', summary: 'create the tenant', policy: 'cluster-change', undo: true },
    { name: 'nested.await-tenant', summary: "wait for the tenant's namespace", policy: 'cluster-wait', undo: false },
    {
      name: 'nested.create-cluster',
      summary: 'create the nested cluster with GPUs and GPU Operator',
      policy: 'cluster-change',
      undo: true,
    },
    {
      name: 'nested.fix-size',
      summary: 'set the wanted number of nodes and a driver timeout that is long enough',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'nested.await-nodes',
      summary: 'wait for the control plane, the VMs and the nested nodes',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'nested.await-gpus',
      summary: 'wait until nested nodes offer nvidia.com/gpu',
      policy: 'cluster-wait',
      undo: false,
    },
  ],
  acceptance: [
    {
      name: 'acceptance.create-cluster',
      summary: 'create a temporary cluster with the GPUs that no nested cluster has',
      policy: 'cluster-wait',
      undo: true,
      acceptance: 'all',
    },
    {
      name: 'acceptance.await-cluster',
      summary: 'wait until the temporary cluster offers its GPUs',
      policy: 'cluster-wait',
      undo: false,
      acceptance: 'all',
    },
    { name: 'acceptance.run-job', summary: 'start the GPU job', policy: 'cluster-change', undo: true },
    {
      name: 'acceptance.await-job',
      summary: 'wait for the GPU job, read its figures and judge them',
      policy: 'cluster-wait',
      undo: false,
    },
    {
      name: 'acceptance.remove-cluster',
      summary: 'delete the temporary cluster and wait until its VM and tenant are gone',
      policy: 'cluster-wait',
      undo: false,
      acceptance: 'all',
    },
  ],
} as const satisfies Record<PhaseName, readonly Step[]>;

/** `phase.step`. */
export type StepName = (typeof STEPS)[PhaseName][number]['name'];
export type StepNameOf<P extends PhaseName> = (typeof STEPS)[P][number]['name'];
/** Steps of a phase that have an undo. */
export type UndoableStepNameOf<P extends PhaseName> = Extract<(typeof STEPS)[P][number], { undo: true }>['name'];

/** In order. Without `acceptance` every step there is, with it those that such a run has. */
export function stepsOf(phase: PhaseName, acceptance?: AcceptanceMode): readonly Step[] {
  const steps: readonly Step[] = STEPS[phase];
  return acceptance === undefined
    ? steps
    : steps.filter((step) => step.acceptance === undefined || step.acceptance === acceptance);
}

/** Of a step, its check or its undo; what belongs to no phase alone has none. */
export function phaseOfActivity(name: string): PhaseName | undefined {
  const step = name.replace(/\.(verify|undo)$/, '');
  return PHASE_NAMES.find((phase) => stepsOf(phase).some((candidate) => candidate.name === step));
}

/** What these claim holds only while a run is under way, or until its commit. */
const MOMENTARY: readonly string[] = [
  'preparation.claim-host',
  'isolation.save-boot-state',
  'isolation.hold-kernel',
  'isolation.publish-known-good-default',
  'isolation.check-saved-images',
  'isolation.build-images',
  'isolation.write-dead-man',
  'isolation.publish-trial-entry',
] satisfies readonly StepName[];

/** Steps of a phase whose claim stays true after a run, so that it can be read back at any time. */
export function lastingSteps(phase: PhaseName): readonly Step[] {
  return stepsOf(phase).filter(({ name }) => !MOMENTARY.includes(name));
}

/** What a step reports: what was found or made true, read back. Small JSON; no contents of files, no secrets. */
export interface StepResult extends WithArtifacts {
  /** false when everything was already as wanted. */
  readonly changed: boolean;
  /** For people, e.g. `11 packages installed`. */
  readonly summary: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Which run acts, and in which epoch: compensation raises the epoch, and the host refuses older ones. */
export interface RunRef {
  readonly id: string;
  readonly epoch: number;
}
