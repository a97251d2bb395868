/**
 * Phase 6: KubeVirt offers the isolated GPUs.
 * @module
 */
import {
  deviceConflict,
  devicesOfKubevirt,
  devicesOfPackage,
  HOST_GPU_OPERATOR_REF,
  KUBEVIRT_PACKAGE_REF,
  KUBEVIRT_REF,
  kubevirtPatch,
  packagePatch,
  permits,
  VIRT_HANDLER_LABEL,
  virtHandlerIsStuck,
  wantedDevice,
  withDevice,
  withoutDevice,
} from '../domain/cluster/kubevirt.js';
import { allocatable, nodeWithIP } from '../domain/cluster/node.js';
import { countAt, nameOf, textAt, type KubeObject } from '../domain/cluster/objects.js';
import type { Cluster, ObjectRef } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import { conflictsOf, refOf } from './cluster/ensure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { through } from './cluster/waiting.js';
import type { PhaseSteps, StepContext } from './define-step.js';
import type { PreviewedChange } from './host/preview.js';

/** The two places that permit a device, and how each is read and written. */
const PLACES = [
  { ref: KUBEVIRT_PACKAGE_REF, devices: devicesOfPackage, patch: packagePatch },
  { ref: KUBEVIRT_REF, devices: devicesOfKubevirt, patch: kubevirtPatch },
] as const;

/** On each of the two objects: the run that added our entry, so that undo takes only that one away. */
const PERMITTED_BY = 'gpu-provision/permitted-by';
/** On the Node: how often virt-handler was replaced to make it count again, `RUN N`. */
const RESTARTS = 'gpu-provision/virt-handler-restarts';

export const kubevirtSteps = {
  'kubevirt.permit-gpus': {
    preview: async (ctx) => {
      const cluster = await clusterIfAny(ctx);
      const wanted = wantedDevice(ctx.spec.gpus);
      const changes: PreviewedChange[] = [];
      for (const { ref, devices } of PLACES) {
        const object = cluster === null ? null : await cluster.get(ref);
        if (object !== null && permits(devices(object), wanted)) continue;
        changes.push({ sign: '~', kind: 'object', what: `${ref.kind} ${ref.name}`, diff: '' });
      }
      return changes;
    },
    check: async (ctx) => ((await missing(ctx)).length === 0 ? permitResult(ctx) : null),
    apply: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      const wanted = wantedDevice(ctx.spec.gpus);
      for (const { ref, devices, patch } of PLACES) {
        // The whole list is written, so it must be the one that was read: the API compares the version.
        const object = await required(cluster, ref);
        if (permits(devices(object), wanted)) continue;
        const { resourceVersion } = object.metadata;
        await cluster.mergePatch(ref, {
          ...patch(object, withDevice(devices(object), wanted)),
          metadata: { resourceVersion, annotations: { [PERMITTED_BY]: ctx.run.id } },
        });
      }
    },
    verify: async (ctx) => {
      const lacking = await missing(ctx);
      if (lacking.length > 0)
        throw new ProvisionError('StepNotVerified', `${lacking.join(' and ')} does not permit ${ctx.spec.gpus.id}`);
      return permitResult(ctx);
    },
    undo: async (ctx) => {
      const from = await withdrawGpus(ctx, (by) => by === ctx.run.id);
      return from.length === 0 ? 'no entry of this run' : `entry removed from ${from.join(' and ')}`;
    },
  },

  'kubevirt.await-allocatable': {
    check: async (ctx) => {
      const { node, offered } = await offer(ctx);
      return offered === ctx.spec.gpus.addresses.length ? allocatableResult(ctx, node) : null;
    },
    apply: restartVirtHandlerIfStuck,
    verify: async (ctx) => {
      const { node, offered } = await offer(ctx);
      const { addresses, resource } = ctx.spec.gpus;
      through(
        offered === addresses.length
          ? null
          : `${nameOf(node)} offers ${offered} of ${addresses.length} ${resource}: KubeVirt counts one per IOMMU group whose devices are on vfio-pci`,
      );
      return allocatableResult(ctx, node);
    },
  },
} satisfies PhaseSteps<'kubevirt'>;

/** Takes our entry away from both places, where the run that added it is one of these. Names of what it was taken from. */
export async function withdrawGpus(
  ctx: StepContext,
  isOf: (run: string | undefined) => boolean,
): Promise<readonly string[]> {
  const cluster = await ctx.clusters.host(ctx.spec);
  const wanted = wantedDevice(ctx.spec.gpus);
  const done: string[] = [];
  for (const { ref, devices, patch } of PLACES) {
    const object = await cluster.get(ref);
    if (object === null || !isOf(object.metadata.annotations?.[PERMITTED_BY])) continue;
    await cluster.mergePatch(ref, {
      ...patch(object, withoutDevice(devices(object), wanted)),
      metadata: { resourceVersion: object.metadata.resourceVersion, annotations: { [PERMITTED_BY]: null } },
    });
    if (permits(devices(await required(cluster, ref)), wanted))
      throw new ProvisionError('StepNotVerified', `${nameOf(object)} still permits ${ctx.spec.gpus.id}`);
    done.push(nameOf(object));
  }
  return done;
}

async function required(cluster: Cluster, ref: ObjectRef): Promise<KubeObject> {
  const object = await cluster.get(ref);
  if (object === null) throw new ProvisionError('NotReadyYet', `${ref.kind} ${ref.name} does not exist yet`);
  return object;
}

/** For preflight: the same GPUs under another name, or from another plugin. */
export const kubevirtConflicts = (ctx: StepContext): Promise<readonly string[]> => conflictsOf([() => missing(ctx)]);

/** Objects that lack our entry. Throws ClusterConflict where somebody else offers the same GPUs, or permits them under another name. */
async function missing(ctx: StepContext): Promise<readonly string[]> {
  const cluster = await ctx.clusters.host(ctx.spec);
  const operator = await cluster.get(HOST_GPU_OPERATOR_REF);
  if (operator !== null)
    throw new ProvisionError(
      'ClusterConflict',
      `${nameOf(operator)} is installed in the host cluster, and its device plugin would offer the same GPUs a second time. Take it out of bundles.enabledPackages of the platform, or of the cluster`,
    );
  const wanted = wantedDevice(ctx.spec.gpus);
  const lacking: string[] = [];
  for (const { ref, devices } of PLACES) {
    const object = await required(cluster, ref);
    const conflict = deviceConflict(devices(object), wanted);
    if (conflict !== null) throw new ProvisionError('ClusterConflict', `${nameOf(object)}: ${conflict}`);
    if (!permits(devices(object), wanted)) lacking.push(nameOf(object));
  }
  return lacking;
}

async function offer(ctx: StepContext): Promise<{ cluster: Cluster; node: KubeObject; offered: number }> {
  const cluster = await ctx.clusters.host(ctx.spec);
  const node = nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), ctx.spec.nodeIP);
  if (node === null) throw new ProvisionError('NotReadyYet', `no Node has the address ${ctx.spec.nodeIP}`);
  return { cluster, node, offered: allocatable(node, ctx.spec.gpus.resource) };
}

/** The known remedy for a device plugin that lost its devices at a restart of k3s; bounded, and counted on the Node. */
async function restartVirtHandlerIfStuck(ctx: StepContext): Promise<void> {
  const { cluster, node } = await offer(ctx);
  const restarts = restartsOf(node, ctx.run.id);
  const pods = await cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: KUBEVIRT_REF.namespace,
    labelSelector: VIRT_HANDLER_LABEL,
  });
  const pod = pods.find((candidate) => textAt(candidate, 'spec', 'nodeName') === node.metadata.name);
  if (pod === undefined || !virtHandlerIsStuck(pod, restarts, Date.now())) return;
  await cluster.mergePatch(refOf(node), {
    metadata: { annotations: { [RESTARTS]: `${ctx.run.id} ${restarts + 1}` } },
  });
  ctx.heartbeat(`replacing ${nameOf(pod)}`);
  await cluster.delete(refOf(pod));
}

function restartsOf(node: KubeObject, runId: string): number {
  const [run, count] = (node.metadata.annotations?.[RESTARTS] ?? '').split(' ');
  return run === runId ? (countAt([count], 0) ?? 0) : 0;
}

const permitResult = ({ spec }: StepContext): { summary: string } => ({
  summary: `${spec.gpus.id} is permitted as ${spec.gpus.resource} in Package and KubeVirt`,
});

function allocatableResult(ctx: StepContext, node: KubeObject): { summary: string; facts: Record<string, unknown> } {
  const { addresses, resource } = ctx.spec.gpus;
  return {
    summary: `${node.metadata.name} offers ${addresses.length} ${resource}`,
    facts: { resource, allocatable: addresses.length, virtHandlerRestarts: restartsOf(node, ctx.run.id) },
  };
}
