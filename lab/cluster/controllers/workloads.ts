/**
 * Deployments that come up, and Jobs whose pods run a program of the lab.
 * @module
 */
import { createHash } from 'node:crypto';
import { isJson, type ApiObject, type Json } from '../api/object.js';
import { conditionsOf, field, isTrue, keyOf, ownedBy, textField, type Controller, type World } from '../world.js';

/** Available one stage after they were created. */
export const deployments: Controller = {
  name: 'deployment-controller',
  async reconcile(world) {
    for (const deployment of world.list('apps/v1', 'Deployment')) {
      const replicas = Number(field(deployment, 'spec', 'replicas') ?? 1);
      if (conditionsOf(deployment).length === 0) {
        await world.setCondition(deployment, {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        });
      } else if (!isTrue(deployment, 'Available')) {
        await world.setCondition(
          deployment,
          {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
          },
          { replicas, readyReplicas: replicas, availableReplicas: replicas },
        );
      }
    }
  },
};

/** One replica of a pod; `pod` is its spec. */
export function deploymentSpec(
  name: string,
  pod: Json = { containers: [{ name, image: `lab.invalid/${name}` }] },
): Json {
  const labels = { app: name };
  return { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
}

/** The kubelets' part in the deletion of a pod: its containers have ended. */
export const podEnds: Controller = {
  name: 'pod-ends',
  async reconcile(world) {
    for (const pod of world.list('v1', 'Pod'))
      if (pod.metadata.deletionTimestamp !== undefined) await world.removePod(pod);
  },
};

export interface ProgramResult {
  readonly exitCode: number;
  readonly log: string;
}

/** What a container image does. `node` is where its pod runs. */
export type Program = (world: World, pod: ApiObject, node: ApiObject) => ProgramResult | Promise<ProgramResult>;

export interface JobOptions {
  /** Program by image, without its tag; a pod with another image can't pull it. */
  readonly programs: ReadonlyMap<string, Program>;
  readonly keepLog: (pod: ApiObject, log: string) => void;
  /** Nodes without network still run what uses the host's. */
  readonly needsReadyNode: boolean;
}

export function jobs(options: JobOptions): Controller {
  return {
    name: 'job-controller',
    async reconcile(world) {
      for (const job of world.list('batch/v1', 'Job')) {
        if (job.metadata.deletionTimestamp !== undefined || isTrue(job, 'Complete') || isTrue(job, 'Failed')) continue;
        await runJob(world, job, options);
      }
    },
  };
}

async function runJob(world: World, job: ApiObject, options: JobOptions): Promise<void> {
  const { namespace = 'default', name } = job.metadata;
  const wanted = Number(field(job, 'spec', 'completions') ?? 1);
  const pods = world
    .list('v1', 'Pod', namespace)
    .filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid));
  for (let index = pods.length; index < wanted; index += 1) await createPod(world, job, index);
  for (const pod of pods) await runPod(world, pod, options);
  const now = world.list('v1', 'Pod', namespace).filter((pod) => pod.metadata.labels?.[JOB_NAME] === name);
  const count = (phase: string): number => now.filter((pod) => field(pod, 'status', 'phase') === phase).length;
  const [succeeded, failed] = [count('Succeeded'), count('Failed')];
  const limit = Number(field(job, 'spec', 'backoffLimit') ?? 6);
  const status = {
    startTime: field(job, 'status', 'startTime') ?? new Date().toISOString(),
    active: now.length - succeeded - failed,
    succeeded,
    failed,
  };
  if (succeeded >= wanted)
    await finish(world, job, ['SuccessCriteriaMet', 'Complete'], 'CompletionsReached', '', {
      ...status,
      completionTime: new Date().toISOString(),
    });
  else if (failed > limit)
    await finish(
      world,
      job,
      ['FailureTarget', 'Failed'],
      'BackoffLimitExceeded',
      'Job has reached the specified backoff limit',
      status,
    );
  else await world.setStatus(job, status);
}

/** The API takes the second condition only with the first. */
async function finish(
  world: World,
  job: ApiObject,
  types: readonly [string, string],
  why: string,
  message: string,
  status: Json,
): Promise<void> {
  const lastTransitionTime = new Date().toISOString();
  const conditions = types.map((type) => ({ type, status: 'True', reason: why, message, lastTransitionTime }));
  await world.setStatus(job, { ...status, conditions });
}

const JOB_NAME = 'batch.kubernetes.io/job-name';

async function createPod(world: World, job: ApiObject, index: number): Promise<void> {
  const { namespace = 'default', name, uid } = job.metadata;
  const suffix = createHash('sha256').update(`${uid}${index}`).digest('hex').slice(0, 5);
  const spec = field(job, 'spec', 'template', 'spec');
  await world.createOnce(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${index}-${suffix}`,
        namespace,
        labels: { [JOB_NAME]: name, 'job-name': name },
        ownerReferences: ownedBy(job),
      },
      spec: isJson(spec) ? spec : {},
    },
    'job-controller',
  );
}

/** Scheduled, then running, then done: one stage a call. */
async function runPod(world: World, pod: ApiObject, options: JobOptions): Promise<void> {
  const phase = field(pod, 'status', 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return;
  const nodeName = field(pod, 'spec', 'nodeName');
  if (typeof nodeName !== 'string') return schedule(world, pod, options);
  const image = imageOf(pod);
  const program = options.programs.get(image.replace(/[:@][^/]*$/, ''));
  if (program === undefined) {
    const waiting = { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` };
    await world.setStatus(pod, { phase: 'Pending', containerStatuses: [{ name: 'main', state: { waiting } }] });
    return;
  }
  if (phase !== 'Running') {
    await world.setStatus(pod, { phase: 'Running', startTime: new Date().toISOString() });
    return;
  }
  const node = world.get('v1', 'Node', nodeName);
  if (node === null) return;
  const { exitCode, log } = await program(world, pod, node);
  options.keepLog(pod, log);
  await world.setStatus(pod, {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [{ name: 'main', state: { terminated: { exitCode } } }],
  });
}

async function schedule(world: World, pod: ApiObject, options: JobOptions): Promise<void> {
  const limits = field(containerOf(pod), 'resources', 'limits');
  const wanted = Object.entries(isJson(limits) ? limits : {}).filter(([resource]) => resource.includes('/'));
  const fits = (node: ApiObject): boolean =>
    (!options.needsReadyNode || isTrue(node, 'Ready')) &&
    field(node, 'spec', 'unschedulable') !== true &&
    wanted.every(([resource, amount]) => free(world, node, resource) >= Number(amount));
  const node = world.list('v1', 'Node').find(fits);
  if (node === undefined) {
    const message = `0/${world.list('v1', 'Node').length} nodes are available: Insufficient ${wanted.map(([resource]) => resource).join(', ')}.`;
    await world.setCondition(
      pod,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
      { phase: 'Pending' },
    );
    return;
  }
  await world.bind(pod, node.metadata.name);
}

/** Of an extended resource on a node, what no pod at work has. */
function free(world: World, node: ApiObject, resource: string): number {
  const total = Number(field(node, 'status', 'allocatable', resource) ?? 0);
  const used = world
    .list('v1', 'Pod')
    .filter((pod) => field(pod, 'spec', 'nodeName') === node.metadata.name)
    .filter((pod) => !['Succeeded', 'Failed'].includes(String(field(pod, 'status', 'phase'))))
    .reduce((sum, pod) => sum + Number(field(containerOf(pod), 'resources', 'limits', resource) ?? 0), 0);
  return total - used;
}

export function containerOf(pod: ApiObject): unknown {
  const containers = field(pod, 'spec', 'containers');
  return Array.isArray(containers) ? containers[0] : undefined;
}

const imageOf = (pod: ApiObject): string => textField(`of ${keyOf(pod)}`, containerOf(pod), 'image');
