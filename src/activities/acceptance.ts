/**
 * Phase 8: a job on every GPU that the nested clusters offer, and its verdict.
 * @module
 */
import {
  ACCEPTANCE_JOB,
  ACCEPTANCE_LOG_LINES,
  acceptanceJob,
  describeFigures,
  judge,
  minimumsOf,
  parseJobOutput,
  type JobOutput,
} from '../domain/cluster/acceptance.js';
import { jobFailure } from '../domain/cluster/gates.js';
import { gpusWanted, kubeconfigOf } from '../domain/cluster/nested.js';
import { countAt, hasCondition, listAt, nameOf, textAt, type KubeObject } from '../domain/cluster/objects.js';
import { isMarked } from '../domain/cluster/ownership.js';
import { provingClusters } from '../domain/cluster/temporary-cluster.js';
import type { StepResult } from '../domain/run/steps.js';
import type { NestedSpec, ServerSpec } from '../domain/spec.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import { ensure, isAsWanted, mustBeAsWanted, previewObjects, refOf, removeOwn } from './cluster/ensure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { through } from './cluster/waiting.js';
import type { PhaseSteps, StepContext } from './define-step.js';
import type { PreviewedChange } from './host/preview.js';
import { temporaryClusterSteps } from './temporary-cluster.js';

type Facts = Omit<StepResult, 'changed'>;

export const acceptanceSteps = {
  ...temporaryClusterSteps,

  'acceptance.run-job': {
    preview: async (ctx) => {
      const changes: PreviewedChange[] = [];
      for (const nested of ctx.spec.cluster.nested)
        changes.push(...(await previewObjects(await innerIfAny(ctx, nested), [{ object: acceptanceJob(nested) }])));
      return changes;
    },
    check: async (ctx) => {
      for (const nested of provingClusters(ctx.spec)) {
        const cluster = await innerCluster(ctx, nested);
        const job = await cluster.get(ACCEPTANCE_JOB);
        if (job === null || (await isSpent(cluster, job))) return null;
        if (!(await isAsWanted(cluster, { object: acceptanceJob(nested) }))) return null;
      }
      return started(ctx.spec);
    },
    apply: async (ctx) => {
      for (const nested of provingClusters(ctx.spec)) await startJob(ctx, nested);
    },
    verify: async (ctx) => {
      for (const nested of provingClusters(ctx.spec))
        await mustBeAsWanted(await innerCluster(ctx, nested), { object: acceptanceJob(nested) });
      return started(ctx.spec);
    },
    undo: async (ctx) => {
      // The job in the temporary cluster goes with it.
      const done: string[] = [];
      for (const nested of ctx.spec.cluster.nested)
        done.push(await removeOwn(await innerCluster(ctx, nested), ctx.run.id, ACCEPTANCE_JOB));
      return done.length === 0 ? 'no nested cluster in the inventory' : done.join('; ');
    },
  },

  'acceptance.await-job': {
    check: async (ctx) => ((await lostJobs(ctx)).length > 0 ? null : outcomeOfJobs(ctx)),
    apply: async (ctx) => {
      for (const nested of await lostJobs(ctx)) {
        ctx.heartbeat(`job of ${nested.name} again: its figures are gone`);
        await startJob(ctx, nested);
      }
    },
    verify: outcomeOfJobs,
  },
} satisfies PhaseSteps<'acceptance'>;

async function startJob(ctx: StepContext, nested: NestedSpec): Promise<void> {
  const cluster = await innerCluster(ctx, nested);
  await makeRoom(cluster, acceptanceJob(nested));
  await ensure(cluster, ctx.run.id, { object: acceptanceJob(nested) });
}

async function outcomeOfJobs(ctx: StepContext): Promise<Facts> {
  const outputs: JobOutput[] = [];
  for (const nested of provingClusters(ctx.spec))
    outputs.push(...(await outputOf(ctx, await innerCluster(ctx, nested), nested)));
  return verdict(ctx.spec, outputs);
}

/** Clusters whose job is gone, or ended well and its figures are gone: the host was cut off, and VMs begin anew. */
async function lostJobs(ctx: StepContext): Promise<readonly NestedSpec[]> {
  const lost: NestedSpec[] = [];
  for (const nested of provingClusters(ctx.spec)) {
    const cluster = await innerCluster(ctx, nested);
    const job = await cluster.get(ACCEPTANCE_JOB);
    if (job === null || (await isLost(cluster, job))) lost.push(nested);
  }
  return lost;
}

const innerCluster = (ctx: StepContext, nested: NestedSpec): Promise<Cluster> =>
  ctx.clusters.nested(ctx.spec, kubeconfigOf(nested));

/** null while the nested cluster has no kubeconfig. */
async function innerIfAny(ctx: StepContext, nested: NestedSpec): Promise<Cluster | null> {
  const { namespace, secret } = kubeconfigOf(nested);
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace, name: secret };
  const outer = await clusterIfAny(ctx);
  return outer === null || (await outer.get(ref)) === null ? null : innerCluster(ctx, nested);
}

/** A job that can prove nothing: it failed, said nothing, or its figures are gone. */
async function isSpent(cluster: Cluster, job: KubeObject): Promise<boolean> {
  if (jobFailure(job) !== null) return true;
  if (!hasCondition(job, 'Complete')) return false;
  const outputs = await readOutputs(cluster);
  return lacks(job, outputs) || !outputs.some((output) => output.gpus.length > 0);
}

/** It ended well, and the log of one of its pods went with the VM it ran in. */
async function isLost(cluster: Cluster, job: KubeObject): Promise<boolean> {
  if (!hasCondition(job, 'Complete')) return false;
  return lacks(job, await readOutputs(cluster));
}

const lacks = (job: KubeObject, outputs: readonly JobOutput[]): boolean =>
  outputs.length < (countAt(job, 'status', 'succeeded') ?? 1);

/** A job's pod template cannot be changed: one of ours that failed or is another version is deleted first. */
async function makeRoom(cluster: Cluster, wanted: KubeObject): Promise<void> {
  const job = await cluster.get(ACCEPTANCE_JOB);
  if (job === null) return;
  if (!isMarked(job))
    throw new ProvisionError('ClusterConflict', `${nameOf(job)} is there already and was not made by gpu-provision`);
  if (!(await isSpent(cluster, job)) && (await isAsWanted(cluster, { object: wanted }))) return;
  await cluster.delete(refOf(job));
  through((await cluster.get(refOf(job))) === null ? null : `${nameOf(job)} of an earlier attempt is being deleted`);
}

/** The output of each of the job's pods. Throws NotReadyYet while it runs, AcceptanceFailed when it ended without figures. */
async function outputOf(ctx: StepContext, cluster: Cluster, nested: NestedSpec): Promise<readonly JobOutput[]> {
  const job = await cluster.get(ACCEPTANCE_JOB);
  if (job === null) throw new ProvisionError('NotReadyYet', `Job ${ACCEPTANCE_JOB.name} does not exist yet`);
  const failure = jobFailure(job);
  if (failure === null && !hasCondition(job, 'Complete')) {
    const done = countAt(job, 'status', 'succeeded') ?? 0;
    const pods = await podsOf(cluster);
    through(`${nameOf(job)}: ${done} of ${nested.nodes} pods done${pods.map(podState).join('')}`);
  }
  const outputs = await readOutputs(cluster, (pod, log) =>
    ctx.evidence.keep(`acceptance-${nested.tenant}-${nested.name}-${pod}.log`, log),
  );
  // The next attempt finds it lost, and runs it again.
  through(failure === null && lacks(job, outputs) ? `${nameOf(job)}: the log of a pod is gone` : null);
  const said = outputs.some((output) => output.gpus.length > 0 || output.errors.length > 0);
  if (failure !== null && !said)
    throw new ProvisionError('AcceptanceFailed', `${nameOf(job)} failed without a word: ${failure}`);
  return outputs;
}

const podsOf = (cluster: Cluster): Promise<readonly KubeObject[]> =>
  cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: ACCEPTANCE_JOB.namespace,
    labelSelector: `batch.kubernetes.io/job-name=${ACCEPTANCE_JOB.name}`,
  });

/** What the pods that ended printed; nothing of a pod whose log is gone. */
async function readOutputs(
  cluster: Cluster,
  onLog: (pod: string, log: string) => Promise<void> = () => Promise.resolve(),
): Promise<readonly JobOutput[]> {
  const outputs: JobOutput[] = [];
  for (const pod of await podsOf(cluster)) {
    if (!['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '')) continue;
    const { name, namespace = ACCEPTANCE_JOB.namespace } = pod.metadata;
    try {
      const log = await cluster.podLog(namespace, name, ACCEPTANCE_LOG_LINES);
      outputs.push(parseJobOutput(log));
      await onLog(name, log);
    } catch (error) {
      if (!(error instanceof ProvisionError) || error.type !== 'NotReadyYet') throw error;
    }
  }
  return outputs;
}

/** `; Pod x is Pending: ImagePullBackOff`. */
function podState(pod: KubeObject): string {
  const phase = textAt(pod, 'status', 'phase') ?? 'not started';
  if (phase === 'Succeeded') return '';
  const waiting = textAt(listAt(pod, 'status', 'containerStatuses')[0], 'state', 'waiting', 'reason');
  const scheduled = listAt(pod, 'status', 'conditions').find((entry) => textAt(entry, 'type') === 'PodScheduled');
  const why = waiting ?? (textAt(scheduled, 'status') === 'False' ? textAt(scheduled, 'message') : null);
  return `; ${nameOf(pod)} is ${phase}${why === null ? '' : `: ${why}`}`;
}

const started = (spec: ServerSpec): Facts => ({
  summary:
    provingClusters(spec)
      .map(({ tenant, name }) => `job started in tenant-${tenant}/${name}`)
      .join('; ') || 'no nested cluster in the inventory',
});

function verdict(spec: ServerSpec, outputs: readonly JobOutput[]): Facts {
  const expected = gpusWanted(provingClusters(spec));
  const { proven, total, problems } = judge(outputs, spec.gpus, expected);
  const gpus = outputs.flatMap((output) => output.gpus);
  const facts = {
    proven,
    total,
    gpus,
    peers: outputs.flatMap((output) => output.peers),
    minimums: minimumsOf(spec.gpus.id),
  };
  if (problems.length > 0)
    throw new ProvisionError('AcceptanceFailed', `${proven} of ${total} GPUs proven. ${problems.join('. ')}`, facts);
  const untried = total - expected;
  const rest =
    untried === 0 ? '' : `; ${untried} not tried, they are in no nested cluster (acceptance: all tries them)`;
  return { summary: `${proven}/${total} GPUs ran: ${describeFigures(gpus, spec.gpus.id)}${rest}`, facts };
}
