/**
 * What a reboot of the host would stop.
 * @module
 */
import { at, textAt, type KubeObject } from './objects.js';

export interface Workloads {
  /** `namespace/name` of KubeVirt VMs, `qemu NAME (pid N)` of others. Sorted. */
  readonly vms: readonly string[];
  /** `name (pid N)`, sorted. */
  readonly gpuProcesses: readonly string[];
  /** `namespace/name` of pods that neither k3s nor Cozystack brought, sorted. */
  readonly foreignPods: readonly string[];
}

/** Namespaces whose pods come with k3s and the platform and return by themselves. */
const PLATFORM_NAMESPACES = /^(kube-system|kube-public|kube-node-lease|cozy-.*|tenant-root)$/;
/** States in which nothing of a VM or a pod runs any more. */
const OVER = new Set(['Succeeded', 'Failed']);
/** Keep a GPU open by design and do no work. */
const DRIVER_DAEMONS = new Set(['nvidia-persistenced', 'nv-fabricmanager', 'nv-hostengine', 'nvidia-smi']);

const path = (object: KubeObject): string => `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
const runsOn = (object: KubeObject, node: string | null, where: readonly string[]): boolean => {
  const on = textAt(object, ...where);
  return on !== null && (node === null || on === node) && !OVER.has(textAt(object, 'status', 'phase') ?? '');
};

/** VMs of the API that run on the node; every node when its name is unknown. */
export function vmsOn(vmis: readonly KubeObject[], node: string | null): readonly string[] {
  return vmis.filter((vmi) => runsOn(vmi, node, ['status', 'nodeName'])).map(path);
}

/** Pods on the node that are somebody's work; a VM's own launcher pod counts as the VM. */
export function foreignPodsOn(pods: readonly KubeObject[], node: string | null): readonly string[] {
  return pods
    .filter((pod) => runsOn(pod, node, ['spec', 'nodeName']))
    .filter((pod) => !PLATFORM_NAMESPACES.test(pod.metadata.namespace ?? ''))
    .filter((pod) => at(pod, 'metadata', 'labels', 'kubevirt.io') !== 'virt-launcher')
    .map(path);
}

/**
 * QEMU processes, from lines `PID COMMAND LINE` (pgrep -a). KubeVirt names its guests NAMESPACE_NAME; those that the API listed
 * are left out.
 */
export function otherGuests(pgrep: string, vms: readonly string[]): readonly string[] {
  const known = new Set(vms.map((vm) => vm.replace('/', '_')));
  const guests: string[] = [];
  for (const line of pgrep.split('\n')) {
    const match = /^(\d{1,10}) (.*)$/.exec(line.trim());
    if (match === null) continue;
    const guest = /\bguest=([^,\s]+)/.exec(match[2] ?? '')?.[1] ?? /-name (\S+)/.exec(match[2] ?? '')?.[1] ?? '';
    if (!known.has(guest)) guests.push(`qemu ${guest === '' ? 'without a name' : guest} (pid ${match[1]})`);
  }
  return guests;
}

/** Processes that hold a GPU open, from lines `PID NAME`, without the driver's own daemons. */
export function gpuProcesses(lines: string): readonly string[] {
  const seen = new Map<number, string>();
  for (const line of lines.split('\n')) {
    const match = /^(\d{1,10}) (.+)$/.exec(line.trim());
    if (match === null) continue;
    const name = (match[2] ?? '').split('/').pop() ?? '';
    // A comm is cut at 15 characters.
    if ([...DRIVER_DAEMONS].some((daemon) => daemon === name || daemon.slice(0, 15) === name)) continue;
    if (!/^qemu-(kvm|system)/.test(name)) seen.set(Number(match[1]), name);
  }
  return [...seen].map(([pid, name]) => `${name} (pid ${pid})`);
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted();

export function workloads(found: Workloads): Workloads {
  return {
    vms: sorted(found.vms),
    gpuProcesses: sorted(found.gpuProcesses),
    foreignPods: sorted(found.foreignPods),
  };
}
