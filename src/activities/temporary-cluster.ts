/**
 * The temporary cluster of phase 8: made by the steps that make those of phase 7, and deleted by the run that made it.
 * @module
 */
import { appRef, gpusOfApp, isVmOf, tenantRef } from '../domain/cluster/nested.js';
import { at, nameOf, type KubeObject } from '../domain/cluster/objects.js';
import { isMarked, runOf } from '../domain/cluster/ownership.js';
import { gpusOfOthers, TEMPORARY_NAME, temporaryCluster } from '../domain/cluster/temporary-cluster.js';
import { PHASE_NAMES } from '../domain/run/phases.js';
import type { StepResult } from '../domain/run/steps.js';
import type { NestedSpec } from '../domain/spec.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import { through } from './cluster/waiting.js';
import { perform, type PhaseSteps, type StepContext, type StepImplementation } from './define-step.js';
import { nestedClusterSteps } from './nested-cluster.js';

const APP = appRef(TEMPORARY_NAME);
const TENANT = tenantRef(TEMPORARY_NAME);
const { namespace: NAMESPACE } = APP;
const NONE = { summary: 'no temporary cluster: the nested clusters have every GPU' };

const create = likePhaseSeven(['nested.create-tenant', 'nested.await-tenant', 'nested.create-cluster']);

export const temporaryClusterSteps = {
  'acceptance.create-cluster': {
    preview: ({ spec }) => {
      const temporary = temporaryCluster(spec);
      if (temporary === null) return Promise.resolve([]);
      const what = `temporary cluster over ${temporary.gpusPerNode} GPUs, deleted afterwards`;
      return Promise.resolve([{ sign: '+', kind: 'cluster', what, diff: '' }]);
    },
    check: async (ctx) => ((await leftBehindBy(ctx)).length > 0 ? null : create.check(ctx)),
    apply: async (ctx) => {
      // What another run made would keep its mark, and this run's undo would leave it.
      for (const runId of await leftBehindBy(ctx)) await remove(ctx, runId);
      await create.apply(ctx);
    },
    verify: create.verify,
    undo: (ctx) => remove(ctx, ctx.run.id),
  },

  'acceptance.await-cluster': likePhaseSeven(['nested.fix-size', 'nested.await-nodes', 'nested.await-gpus']),

  'acceptance.remove-cluster': {
    check: async (ctx) => {
      if (temporaryCluster(ctx.spec) === null) return NONE;
      const cluster = await ctx.clusters.host(ctx.spec);
      const isThere = (await cluster.get(TENANT)) !== null || (await left(cluster)).length > 0;
      return isThere ? null : { summary: 'the temporary cluster is deleted' };
    },
    apply: async (ctx) => void (await remove(ctx, ctx.run.id)),
    verify: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      const names = await left(cluster);
      if (names.length > 0) throw new ProvisionError('StepNotVerified', `${names.join(', ')} is still there`);
      const gpus = temporaryCluster(ctx.spec)?.gpusPerNode ?? 0;
      const stays = (await cluster.get(TENANT)) === null ? '' : `; tenant ${TENANT.name} stays, others use it`;
      return { summary: `temporary cluster deleted, its ${gpus} GPUs are free again${stays}` };
    },
  },
} satisfies Partial<PhaseSteps<'acceptance'>>;

/** What holds GPUs: the application and its VMs, which outlive it for a while. */
async function left(cluster: Cluster): Promise<readonly string[]> {
  const app = await cluster.get(APP);
  return [...(app === null ? [] : [app]), ...(await vms(cluster))].map(nameOf);
}

/** For preflight: what has the name of the temporary cluster and was not made by a run, and who has the GPUs meant for it. */
export async function temporaryConflicts(
  cluster: Cluster,
  { spec, phases = PHASE_NAMES }: StepContext,
): Promise<readonly string[]> {
  const temporary = temporaryCluster(spec);
  const gpus = temporary?.gpusPerNode ?? 0;
  const [app, tenant] = [await cluster.get(APP), await cluster.get(TENANT)];
  const conflicts: string[] = [];
  // Phase 8 removes one that is left behind; phase 7 comes before, and its clusters would wait for these GPUs.
  if (app !== null && isMarked(app) && gpusOfApp(app) > gpus)
    conflicts.push(
      `${nameOf(app)} was left behind by run ${runOf(app)} and has ${gpusOfApp(app)} GPUs, the inventory leaves it ${gpus}: delete it (kubectl -n ${NAMESPACE} delete kuberneteses ${APP.name})`,
    );
  if (temporary === null || !phases.includes('acceptance')) return conflicts;
  conflicts.push(...[tenant, app].filter((object) => object !== null).flatMap(foreign));
  const vmis = await cluster.list({ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' });
  for (const { vm, gpus: held } of gpusOfOthers(spec, vmis))
    conflicts.push(
      `${vm} has ${held} of the GPUs that clusters.${spec.cluster.name}.acceptance: all is to prove: stop it, or set nested`,
    );
  return conflicts;
}

/** One that is not ours is refused even when it is as wanted: it would be deleted in the end. */
const foreign = (object: KubeObject): readonly string[] =>
  isMarked(object)
    ? []
    : [`${nameOf(object)} is there already and was not made by gpu-provision; acceptance: all needs this name`];

/** Runs whose temporary cluster, or a part of it, is still there; this one only where its own is being deleted. */
async function leftBehindBy(ctx: StepContext): Promise<readonly string[]> {
  if (temporaryCluster(ctx.spec) === null) return [];
  const cluster = await ctx.clusters.host(ctx.spec);
  const runs = new Set<string>();
  for (const ref of [TENANT, APP]) {
    const found = await cluster.get(ref);
    if (found === null) continue;
    const [why] = foreign(found);
    if (why !== undefined) throw new ProvisionError('ClusterConflict', why);
    const runId = runOf(found);
    if (runId !== null && (runId !== ctx.run.id || isBeingDeleted(found))) runs.add(runId);
  }
  return [...runs];
}

/** Deletes what that run made of the temporary cluster. Done when cluster, VM and tenant are gone; else NotReadyYet. */
async function remove(ctx: StepContext, runId: string): Promise<string> {
  const temporary = temporaryCluster(ctx.spec);
  if (temporary === null) return NONE.summary;
  const cluster = await ctx.clusters.host(ctx.spec);
  const asThatRun = withNested({ ...ctx, run: { ...ctx.run, id: runId } }, temporary);
  const app = await nestedClusterSteps['nested.create-cluster'].undo(asThatRun);
  // The application is gone before Cluster API has taken its VMs down.
  const [vm] = (await cluster.get(APP)) === null ? await vms(cluster) : [];
  through(vm === undefined ? null : `${nameOf(vm)} is being deleted`);
  const tenant = await nestedClusterSteps['nested.create-tenant'].undo(asThatRun);
  return `${app}; ${tenant}`;
}

async function vms(cluster: Cluster): Promise<readonly KubeObject[]> {
  const vmis = await cluster.list({
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    namespace: NAMESPACE,
  });
  return vmis.filter((vmi) => isVmOf(TEMPORARY_NAME, vmi));
}

const isBeingDeleted = (object: KubeObject): boolean => at(object, 'metadata', 'deletionTimestamp') !== undefined;

const withNested = (ctx: StepContext, nested: NestedSpec): StepContext => ({
  ...ctx,
  spec: { ...ctx.spec, cluster: { ...ctx.spec.cluster, nested: [nested] } },
});

/** Steps of phase 7 in order, as one, with the temporary cluster for the only nested one. */
function likePhaseSeven(
  names: readonly (keyof typeof nestedClusterSteps)[],
): Required<Omit<StepImplementation, 'preview'>> {
  type Answer = Omit<StepResult, 'changed'> | null;
  const steps = names.map((name): StepImplementation => nestedClusterSteps[name]);
  /** The last answer; null as soon as a step gives none. */
  const inOrder = async (
    ctx: StepContext,
    ask: (step: StepImplementation, inner: StepContext) => Promise<Answer>,
  ): Promise<Answer> => {
    const temporary = temporaryCluster(ctx.spec);
    let answer: Answer = NONE;
    if (temporary === null) return answer;
    for (const step of steps) {
      answer = await ask(step, withNested(ctx, temporary));
      if (answer === null) return null;
    }
    return answer;
  };
  return {
    check: (ctx) => inOrder(ctx, async (step, inner) => (await step.check?.(inner)) ?? null),
    apply: async (ctx) => void (await inOrder(ctx, perform)),
    verify: async (ctx) => (await inOrder(ctx, (step, inner) => step.verify(inner))) ?? NONE,
  };
}
