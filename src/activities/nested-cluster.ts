/**
 * Phase 7: nested clusters whose nodes are VMs with GPUs.
 * @module
 */
import { condition, type Gate } from '../domain/cluster/gates.js';
import {
  APP_FIXED_FIELDS,
  appRef,
  awaitingEtcdRef,
  clusterNameSelector,
  controlPlaneRef,
  GPU_OPERATOR_TIMEOUT,
  gpuOperatorReleaseRef,
  gpusGate,
  gpusOffered,
  kubeconfigOf,
  kubernetesApp,
  machineDeploymentRef,
  nodesGate,
  renderedGate,
  replicasOf,
  tenantNamespace,
  tenantObject,
  tenantRef,
  vmsGate,
} from '../domain/cluster/nested.js';
import { nameOf, textAt, type KubeObject } from '../domain/cluster/objects.js';
import { isMarked } from '../domain/cluster/ownership.js';
import type { StepResult } from '../domain/run/steps.js';
import type { NestedSpec } from '../domain/spec.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import {
  conflictsOf,
  ensure,
  isAsWanted,
  mustBeAsWanted,
  previewObjects,
  removeOwn,
  type Ensure,
} from './cluster/ensure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { through, waitingStep } from './cluster/waiting.js';
import type { PhaseSteps, StepContext, StepImplementation, UndoableStepImplementation } from './define-step.js';

type Facts = Omit<StepResult, 'changed'>;

/** One object per nested cluster: applied with our mark, deleted by the run that made it. */
function objectStep(
  wantedOf: (ctx: StepContext, nested: NestedSpec) => Ensure,
  refOf: (nested: NestedSpec) => Parameters<Cluster['get']>[0],
  summaryOf: (nested: NestedSpec) => string,
  /** Names of what is somebody else's and would be deleted with it. */
  alsoIn: (cluster: Cluster, nested: NestedSpec) => Promise<readonly string[]> = () => Promise.resolve([]),
): UndoableStepImplementation {
  const result = ({ spec }: StepContext): Facts => ({ summary: summary(spec.cluster.nested.map(summaryOf)) });
  return {
    preview: async (ctx) =>
      previewObjects(
        await clusterIfAny(ctx),
        ctx.spec.cluster.nested.map((nested) => wantedOf(ctx, nested)),
      ),
    check: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      for (const nested of ctx.spec.cluster.nested)
        if (!(await isAsWanted(cluster, wantedOf(ctx, nested)))) return null;
      return result(ctx);
    },
    apply: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      for (const nested of ctx.spec.cluster.nested) await ensure(cluster, ctx.run.id, wantedOf(ctx, nested));
    },
    verify: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      for (const nested of ctx.spec.cluster.nested) await mustBeAsWanted(cluster, wantedOf(ctx, nested));
      return result(ctx);
    },
    undo: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      const done: string[] = [];
      for (const nested of ctx.spec.cluster.nested) {
        const others = await alsoIn(cluster, nested);
        done.push(
          others.length === 0
            ? await removeOwn(cluster, ctx.run.id, refOf(nested))
            : `${summaryOf(nested)} stays: ${others.join(', ')} would go with it`,
        );
      }
      return summary(done);
    },
  };
}

const wantedTenant = (nested: NestedSpec): Ensure => ({ object: tenantObject(nested) });
const wantedApp = (ctx: StepContext, nested: NestedSpec): Ensure => ({
  object: kubernetesApp(nested, ctx.spec.gpus),
  fixed: APP_FIXED_FIELDS,
});

/** For preflight: a tenant or cluster of that name that is somebody else's and different, or that cannot become what is wanted. */
export function nestedConflicts(cluster: Cluster, ctx: StepContext): Promise<readonly string[]> {
  return conflictsOf(
    ctx.spec.cluster.nested.flatMap((nested) => [
      () => isAsWanted(cluster, wantedTenant(nested)),
      () => isAsWanted(cluster, wantedApp(ctx, nested)),
    ]),
  );
}

/** Waits for every nested cluster; before each look at an unfinished one its size is set again, since an upgrade of the app resets it. */
function nestedWait(
  look: (ctx: StepContext, cluster: Cluster, nested: NestedSpec) => Promise<Look>,
): StepImplementation {
  const all = async (ctx: StepContext): Promise<{ gates: readonly Gate[]; result: Facts }> => {
    const cluster = await ctx.clusters.host(ctx.spec);
    const looks: Look[] = [];
    for (const nested of ctx.spec.cluster.nested) looks.push(await look(ctx, cluster, nested));
    return {
      gates: looks.map(({ gate }) => gate),
      result: {
        summary: summary(looks.map(({ says }) => says)),
        facts: Object.fromEntries(looks.flatMap(({ facts }) => Object.entries(facts))),
      },
    };
  };
  return {
    check: async (ctx) => {
      const { gates, result } = await all(ctx);
      return gates.every((gate) => gate === null) ? result : null;
    },
    apply: setSizes,
    verify: async (ctx) => {
      const { gates, result } = await all(ctx);
      gates.forEach(through);
      return result;
    },
  };
}

interface Look {
  readonly gate: Gate;
  readonly says: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export const nestedClusterSteps = {
  'nested.create-tenant': objectStep(
    (_ctx, nested) => wantedTenant(nested),
    tenantRef,
    (nested) => `tenant ${nested.tenant}`,
    inhabitants,
  ),

  'nested.await-tenant': waitingStep(async (ctx) => {
    const cluster = await ctx.clusters.host(ctx.spec);
    for (const nested of ctx.spec.cluster.nested) {
      const name = tenantNamespace(nested);
      const namespace = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name });
      const tenant = await cluster.get(tenantRef(nested));
      through(condition(tenant, 'Ready', `Tenant tenant-root/${nested.tenant}`));
      through(textAt(namespace, 'status', 'phase') === 'Active' ? null : `Namespace ${name} is not Active yet`);
    }
    return { summary: summary(ctx.spec.cluster.nested.map((nested) => `namespace ${tenantNamespace(nested)}`)) };
  }),

  'nested.create-cluster': objectStep(
    wantedApp,
    appRef,
    (nested) => `cluster ${nested.name} of ${nested.nodes} x ${nested.gpusPerNode} GPUs`,
  ),

  'nested.fix-size': {
    check: async (ctx) => ((await wrongSizes(ctx)).length === 0 ? sizeResult(ctx) : null),
    apply: setSizes,
    verify: async (ctx) => {
      for (const { nested } of await wrongSizes(ctx))
        through(`${machineDeploymentRef(nested).name} has not taken the wanted size yet`);
      return sizeResult(ctx);
    },
  },

  'nested.await-nodes': nestedWait(async (ctx, cluster, nested) => {
    const { namespace } = machineDeploymentRef(nested);
    const machines = await cluster.list({
      apiVersion: 'cluster.x-k8s.io/v1beta1',
      kind: 'Machine',
      namespace,
      labelSelector: clusterNameSelector(nested),
    });
    const names = new Set(machines.map((machine) => machine.metadata.name));
    const vmis = await cluster.list({ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance', namespace });
    const vms = vmsGate(nested, {
      awaitingEtcd: await cluster.get(awaitingEtcdRef(nested)),
      controlPlane: await cluster.get(controlPlaneRef(nested)),
      machineDeployment: await cluster.get(machineDeploymentRef(nested)),
      machines,
      vmis: vmis.filter((vmi) => names.has(vmi.metadata.name)),
    });
    const nodes = vms === null ? await nestedNodes(ctx, nested) : [];
    return {
      gate: vms ?? nodesGate(nested, nodes),
      says: `${nested.name}: ${nodes.length} nodes Ready`,
      facts: { [nested.name]: nodes.map((node) => node.metadata.name) },
    };
  }),

  'nested.await-gpus': nestedWait(async (ctx, cluster, nested) => {
    const inner = await ctx.clusters.nested(ctx.spec, kubeconfigOf(nested));
    const nodes = await inner.list({ apiVersion: 'v1', kind: 'Node' });
    const policy = await inner.get({ apiVersion: 'nvidia.com/v1', kind: 'ClusterPolicy', name: 'cluster-policy' });
    return {
      gate: gpusGate(nested, nodes, await cluster.get(gpuOperatorReleaseRef(nested)), policy),
      says: `tenant-${nested.tenant}/${nested.name}: ${gpusOffered(nodes)} GPUs allocatable`,
      facts: { [nested.name]: gpusOffered(nodes) },
    };
  }),
} satisfies PhaseSteps<'nested-cluster'>;

/** Cozystack deletes a tenant with everything in it. Its own modules don't count, as in Cozystack's own cleanup. */
async function inhabitants(cluster: Cluster, nested: NestedSpec): Promise<readonly string[]> {
  const releases = await cluster.list({
    apiVersion: 'helm.toolkit.fluxcd.io/v2',
    kind: 'HelmRelease',
    namespace: tenantNamespace(nested),
    labelSelector: 'apps.cozystack.io/application.kind,internal.cozystack.io/tenantmodule!=true',
  });
  return releases.map(nameOf);
}

async function nestedNodes(ctx: StepContext, nested: NestedSpec): Promise<readonly KubeObject[]> {
  const cluster = await ctx.clusters.nested(ctx.spec, kubeconfigOf(nested));
  return cluster.list({ apiVersion: 'v1', kind: 'Node' });
}

interface WrongSize {
  readonly nested: NestedSpec;
  readonly machineDeployment: KubeObject | null;
  readonly gpuOperator: KubeObject | null;
}

/** The chart writes 2 replicas whatever the node group says, and gives the driver 10 minutes. */
async function wrongSizes(ctx: StepContext): Promise<readonly WrongSize[]> {
  const cluster = await ctx.clusters.host(ctx.spec);
  const wrong: WrongSize[] = [];
  for (const nested of ctx.spec.cluster.nested) {
    const machineDeployment = await cluster.get(machineDeploymentRef(nested));
    const gpuOperator = await cluster.get(gpuOperatorReleaseRef(nested));
    const right =
      machineDeployment !== null &&
      replicasOf(machineDeployment) === nested.nodes &&
      textAt(gpuOperator, 'spec', 'timeout') === GPU_OPERATOR_TIMEOUT;
    if (!right) wrong.push({ nested, machineDeployment, gpuOperator });
  }
  return wrong;
}

async function setSizes(ctx: StepContext): Promise<void> {
  const cluster = await ctx.clusters.host(ctx.spec);
  for (const { nested, machineDeployment, gpuOperator } of await wrongSizes(ctx)) {
    const awaitingEtcd = await cluster.get(awaitingEtcdRef(nested));
    through(renderedGate(nested, { awaitingEtcd, machineDeployment, gpuOperator }));
    const app = await cluster.get(appRef(nested));
    if (app !== null && !isMarked(app))
      throw new ProvisionError(
        'ClusterConflict',
        `${nameOf(app)} was not made by gpu-provision, and its ${machineDeploymentRef(nested).name} has ${machineDeployment === null ? 'no' : replicasOf(machineDeployment)} replicas, wanted ${nested.nodes}; or the timeout of its GPU Operator is not ${GPU_OPERATOR_TIMEOUT}. It is left alone: set both by hand`,
      );
    await cluster.mergePatch(machineDeploymentRef(nested), { spec: { replicas: nested.nodes } });
    await cluster.mergePatch(gpuOperatorReleaseRef(nested), { spec: { timeout: GPU_OPERATOR_TIMEOUT } });
  }
}

const sizeResult = ({ spec }: StepContext): Facts => ({
  summary: summary(spec.cluster.nested.map((nested) => `${nested.name}: ${nested.nodes} nodes`)),
});

const summary = (lines: readonly string[]): string =>
  lines.length === 0 ? 'no nested cluster in the inventory' : lines.join('; ');
