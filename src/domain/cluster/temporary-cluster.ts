/**
 * The temporary nested cluster of `acceptance: all`: one VM with every GPU that the inventory's nested clusters leave over. Those hold
 * their GPUs and are never made smaller for a test, so that their jobs and the one in here prove all GPUs together.
 * @module
 */
import type { NestedSpec, ServerSpec } from '../spec.js';
import { gpusWanted, isVmOf, type NestedName } from './nested.js';
import { listAt, nameOf, textAt, type KubeObject } from './objects.js';

/** Cozystack allows no dash in a tenant's name. The inventory refuses this tenant for a cluster of its own. */
export const TEMPORARY_NAME: NestedName = { tenant: 'gpuprovision', name: 'acceptance' };

/**
 * Its VM, as small as the job allows: it has to fit into what nested clusters leave that were sized without it. KubeVirt requests all
 * memory of a VM from the node, since VFIO pins it, and about a tenth of its CPUs.
 */
const SIZE = {
  /** Of the system, and of the GPU Operator's driver build, which uses every CPU. */
  base: { cpu: 8, memoryGi: 16 },
  /** The job works on one GPU after the other: a CUDA context of each stays, under 1 GiB, and 1 GiB of pinned memory for copies. */
  perGpu: { cpu: 2, memoryGi: 8 },
  /** The driver's image and build, and 8 GB of PyTorch; one system disk, however many GPUs. */
  disk: '100Gi',
} as const;

/** null when the inventory asks for none, or its nested clusters have every GPU. */
export function temporaryCluster(spec: ServerSpec): NestedSpec | null {
  const gpus = spec.gpus.addresses.length - gpusWanted(spec.cluster.nested);
  if (spec.cluster.acceptance !== 'all' || gpus < 1) return null;
  const { base, perGpu, disk } = SIZE;
  return {
    ...TEMPORARY_NAME,
    nodes: 1,
    cpu: base.cpu + gpus * perGpu.cpu,
    memory: `${base.memoryGi + gpus * perGpu.memoryGi}Gi`,
    disk,
    gpusPerNode: gpus,
  };
}

/** Every nested cluster in which phase 8 runs its job. */
export function provingClusters(spec: ServerSpec): readonly NestedSpec[] {
  const temporary = temporaryCluster(spec);
  return temporary === null ? spec.cluster.nested : [...spec.cluster.nested, temporary];
}

/** VMs that have GPUs and are in none of those clusters: with them the temporary cluster would never start. */
export function gpusOfOthers(
  spec: ServerSpec,
  vmis: readonly KubeObject[],
): readonly { readonly vm: string; readonly gpus: number }[] {
  const ours = provingClusters(spec);
  return vmis
    .filter((vmi) => !['Succeeded', 'Failed'].includes(textAt(vmi, 'status', 'phase') ?? ''))
    .filter((vmi) => !ours.some((nested) => isVmOf(nested, vmi)))
    .map((vmi) => ({ vm: nameOf(vmi), gpus: gpusOfVm(vmi, spec.gpus.resource) }))
    .filter(({ gpus }) => gpus > 0);
}

const gpusOfVm = (vmi: KubeObject, resource: string): number =>
  listAt(vmi, 'spec', 'domain', 'devices', 'gpus').filter((gpu) => textAt(gpu, 'deviceName') === resource).length;
