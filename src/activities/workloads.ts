/**
 * What runs on the host that a reboot would stop, and keeping new work away while one is ahead.
 * @module
 */
import { nodeWithIP } from '../domain/cluster/node.js';
import { at, listAt, textAt, type KubeObject } from '../domain/cluster/objects.js';
import {
  foreignPodsOn,
  gpuProcesses,
  otherGuests,
  vmsOn,
  workloads,
  type Workloads,
} from '../domain/cluster/workloads.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import type { StepContext } from './define-step.js';

/** On a node that we cordoned: the run, and since when. */
const CORDONED_BY = 'gpu-provision/cordoned-by';
const CORDONED_AT = 'gpu-provision/cordoned-at';

/**
 * Lines `PID NAME` of every process that has a GPU open, through the native driver or through vfio. fuser sees also what the
 * driver does not report as a compute process; without it nothing could be said, so its absence is an error.
 */
const GPU_HOLDERS = `set -u
command -v fuser >/dev/null || { echo 'fuser is not installed: apt-get install psmisc' >&2; exit 69; }
for node in /dev/nvidia[0-9]* /dev/vfio/[0-9]*; do
  if [ ! -e "$node" ]; then continue; fi
  for pid in $(fuser "$node" 2>/dev/null); do
    if name=$(tr '\\n' ' ' 2>/dev/null < "/proc/$pid/comm"); then printf '%s %s\\n' "$pid" "$name"; fi
  done
done
exit 0`;

/** VMs, GPU processes and foreign pods on this host now. */
export async function readWorkloads(ctx: StepContext): Promise<Workloads> {
  const cluster = await clusterIfAny(ctx);
  let vms: readonly string[] = [];
  let foreignPods: readonly string[] = [];
  if (cluster !== null) {
    const node = (await findNode(cluster, ctx))?.metadata.name ?? null;
    vms = vmsOn(await cluster.list({ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' }), node);
    foreignPods = foreignPodsOn(await cluster.list({ apiVersion: 'v1', kind: 'Pod' }), node);
  }
  // pgrep exits with 1 when nothing matches.
  const qemu = await ctx.host.exec(['pgrep', '-a', '^qemu-(kvm|system)']);
  if (qemu.exitCode !== 0 && qemu.exitCode !== 1)
    throw new ProvisionError('CommandFailed', `pgrep exited with ${qemu.exitCode}: ${qemu.stderr.trim()}`);
  return workloads({
    vms: [...vms, ...otherGuests(qemu.stdout, vms)],
    gpuProcesses: gpuProcesses(await ctx.host.script(GPU_HOLDERS)),
    foreignPods,
  });
}

/** Keeps the scheduler off the node. ISO time since when; null when there is no k3s or no Node yet. */
export async function cordonNode(ctx: StepContext): Promise<string | null> {
  const cluster = await clusterIfAny(ctx);
  const node = cluster === null ? null : await findNode(cluster, ctx);
  if (cluster === null || node === null) return null;
  if (at(node, 'spec', 'unschedulable') === true) return cordonedSince(node);
  const since = new Date().toISOString();
  await cluster.mergePatch(refOf(node), {
    metadata: { annotations: { [CORDONED_BY]: ctx.run.id, [CORDONED_AT]: since } },
    spec: { unschedulable: true },
  });
  const now = await cluster.get(refOf(node));
  if (now === null || at(now, 'spec', 'unschedulable') !== true)
    throw new ProvisionError('StepNotVerified', `Node ${node.metadata.name} does not read back as cordoned`);
  return since;
}

/**
 * Lets the scheduler back, if a run of ours cordoned the node (this one, or one whose ledger it adopted): a person's cordon stays.
 */
export async function uncordonNode(ctx: StepContext): Promise<void> {
  const cluster = await clusterIfAny(ctx);
  const node = cluster === null ? null : await findNode(cluster, ctx);
  if (cluster === null || node === null || textAt(node, 'metadata', 'annotations', CORDONED_BY) === null) return;
  await cluster.mergePatch(refOf(node), {
    metadata: { annotations: { [CORDONED_BY]: null, [CORDONED_AT]: null } },
    spec: { unschedulable: null },
  });
  const now = await cluster.get(refOf(node));
  if (now === null || at(now, 'spec', 'unschedulable') === true)
    throw new ProvisionError('StepNotVerified', `Node ${node.metadata.name} does not read back as uncordoned`);
}

async function findNode(cluster: Cluster, ctx: StepContext): Promise<KubeObject | null> {
  return nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), ctx.spec.nodeIP);
}

/** Ours says it in an annotation; for a person's cordon the control plane notes the time in the taint. */
function cordonedSince(node: KubeObject): string {
  const taint = listAt(node, 'spec', 'taints').find((t) => textAt(t, 'key') === 'node.kubernetes.io/unschedulable');
  return textAt(node, 'metadata', 'annotations', CORDONED_AT) ?? textAt(taint, 'timeAdded') ?? new Date().toISOString();
}

const refOf = (node: KubeObject): { apiVersion: string; kind: string; name: string } => ({
  apiVersion: 'v1',
  kind: 'Node',
  name: node.metadata.name,
});
