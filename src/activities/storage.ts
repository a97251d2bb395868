/**
 * Phase 5, storage: LINSTOR's pool on the disks that a person approved, and the StorageClasses on top of it. A pool that is there already
 * is used as it is. No disk is ever wiped, and nothing here is undone: what would be, has volumes on it.
 * @module
 */
import {
  describeDisk,
  identityOf,
  parseDisks,
  unfitDisks,
  type DiskFacts,
  type DiskPlan,
} from '../domain/cluster/disks.js';
import { allReady, condition, firstShut, type Gate } from '../domain/cluster/gates.js';
import { nodeWithIP } from '../domain/cluster/node.js';
import {
  CLASS_ESSENTIALS,
  CLASS_FIXED_FIELDS,
  createPool,
  describePool,
  isOnline,
  LINSTOR_CONTROLLER_REF,
  LINSTOR_RELEASE_REF,
  listNodes,
  listPools,
  markPool,
  poolOn,
  poolProblem,
  storageClasses,
  type PoolFacts,
} from '../domain/cluster/storage.js';
import type { PhaseName } from '../domain/run/phases.js';
import { shortDigest } from '../domain/run/questions.js';
import type { StepNameOf } from '../domain/run/steps.js';
import type { ServerSpec } from '../domain/spec.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import { conflictsOf, ensure, isAsWanted, mustBeAsWanted, previewObjects, type Ensure } from './cluster/ensure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { through, waitingStep } from './cluster/waiting.js';
import {
  contextOf,
  reporting,
  type Adapters,
  type StepContext,
  type StepImplementation,
  type StepInput,
} from './define-step.js';
import { DISK_FACTS } from './host/facts-scripts.js';
import { readNote, writeNote } from './host/ledger.js';
import { sha256 } from './host/remote-host.js';

export interface StorageActivities {
  /** What a person is asked before `cozystack.create-pool`. Throws DiskNotEmpty, or Blocked where there is neither pool nor disk. */
  'storage.read-plan'(input: StepInput): Promise<DiskPlan>;
}

/** In the ledger, before the first disk is taken: which ones, for whom. A creation that was interrupted can be told from somebody else's. */
const NOTE_POOL = 'storage-pool';
/** LINSTOR makes the zpool or volume group on the satellite and answers when it has. */
const CREATE_TIMEOUT_MS = 4 * 60_000;

export function storageActivities(adapters: Adapters): StorageActivities {
  return { 'storage.read-plan': (input) => reporting(() => readDiskPlan(contextOf(adapters, input))) };
}

/** The disks of the inventory as the host shows them. */
export async function readDisks({ host, spec }: StepContext): Promise<readonly DiskFacts[]> {
  if (spec.disks.length === 0) return [];
  return parseDisks(spec.disks, await host.facts(DISK_FACTS, spec.disks));
}

/** The pool on this node; null without one, also before there is a cluster or a LINSTOR in it. Throws NotReadyYet while LINSTOR is silent. */
export async function readPool(ctx: StepContext): Promise<PoolFacts | null> {
  const cluster = await clusterIfAny(ctx);
  if (cluster === null || (await cluster.get(LINSTOR_CONTROLLER_REF)) === null) return null;
  return poolOfNode(ctx, await nodeName(cluster, ctx.spec));
}

async function poolOfNode(ctx: StepContext, node: string): Promise<PoolFacts | null> {
  const { pool } = ctx.spec.cluster.storage;
  const found = poolOn(await askLinstor(ctx, listPools(pool)), node, pool);
  if (found === undefined) throw new ProvisionError('OutputUnexpected', 'LINSTOR answered something else than a list');
  return found;
}

async function nodeName(cluster: Cluster, spec: ServerSpec): Promise<string> {
  const node = nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), spec.nodeIP);
  if (node === null) throw new ProvisionError('NotReadyYet', `no Node has the address ${spec.nodeIP}`);
  return node.metadata.name;
}

/** Its controller restarts when certificates are renewed: silence is not an answer. */
async function askLinstor({ host }: StepContext, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await host.exec(argv);
  if (exitCode === 0) return stdout;
  throw new ProvisionError('NotReadyYet', `LINSTOR does not answer yet: ${lastLine(stderr)}`);
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

/** The plan, and what its disks are called in this boot. */
interface Takeable {
  readonly plan: DiskPlan;
  readonly devices: readonly string[];
}

async function takeable(ctx: StepContext): Promise<Takeable> {
  const { spec } = ctx;
  const { pool, backend } = spec.cluster.storage;
  const node = await nodeName(await ctx.clusters.host(spec), spec);
  if ((await readPool(ctx)) !== null) return { plan: { pool, backend, node, disks: [], digest: '' }, devices: [] };
  const facts = await readDisks(ctx);
  if (facts.length === 0)
    throw new ProvisionError(
      'Blocked',
      `${node} has no storage pool ${pool}, and servers.${spec.name}.disks names no disk for one`,
    );
  const unfit = unfitDisks(facts);
  if (unfit.length > 0)
    throw new ProvisionError('DiskNotEmpty', `${unfit.join('; ')}. Nothing was touched${await begun(ctx)}`);
  const disks = facts.map(identityOf);
  // The order of the keys is the order of the digest's JSON: don't sort, don't reorder.
  const digest = shortDigest(sha256(JSON.stringify({ server: spec.serial, node, pool, backend, disks })));
  return { plan: { pool, backend, node, disks, digest }, devices: facts.map(({ device }) => device ?? '') };
}

export async function readDiskPlan(ctx: StepContext): Promise<DiskPlan> {
  return (await takeable(ctx)).plan;
}

/** A creation that was cut off leaves a disk that is not empty: said, and left to a person, since it cannot be told from anybody's pool. */
async function begun({ host }: StepContext): Promise<string> {
  const [run, pool, ...ids] = (await readNote(host, NOTE_POOL)) ?? [];
  if (run === undefined) return '';
  return ` now. Run ${run} had begun to make pool ${pool} of ${ids.join(', ')}: see what became of it with zpool list or vgs, then register it (linstor storage-pool create) or empty the disks by hand`;
}

const classes = (spec: ServerSpec): readonly Ensure[] =>
  storageClasses(spec.cluster.storage).map((object) => ({
    object,
    fixed: CLASS_FIXED_FIELDS,
    essential: CLASS_ESSENTIALS,
  }));

export const storageSteps = {
  'cozystack.await-linstor': waitingStep(async (ctx) => {
    const cluster = await ctx.clusters.host(ctx.spec);
    through(firstShut([await linstorInstalled(cluster)]));
    const node = await nodeName(cluster, ctx.spec);
    const online = isOnline(await askLinstor(ctx, listNodes()), node);
    through(online === true ? null : `LINSTOR's satellite on ${node} is not online yet`);
    return { summary: `LINSTOR is up, ${node} is online` };
  }),

  'cozystack.create-pool': {
    preview: async (ctx) => {
      if ((await readPool(ctx)) !== null) return [];
      const disks = (await readDisks(ctx)).map((disk) => describeDisk(identityOf(disk)));
      return disks.map((what) => ({ sign: '~', kind: 'disk', what, diff: '' }));
    },
    check: async (ctx) => {
      const pool = await readPool(ctx);
      return pool === null ? null : poolResult(ctx, pool, false);
    },
    apply: async (ctx) => {
      const { host, run, spec } = ctx;
      const { plan, devices } = await takeable(ctx);
      const { disks, digest, node } = plan;
      if (disks.length === 0) return;
      // Here and not only in the workflow: whatever happens there, no disk is taken that nobody was asked about.
      if (ctx.approved !== digest)
        throw new ProvisionError(
          'Drifted',
          ctx.approved === undefined
            ? 'nobody was asked about the disks'
            : `digest ${ctx.approved} was approved, but the disks are now ${digest}`,
        );
      await writeNote(host, NOTE_POOL, [run.id, spec.cluster.storage.pool, ...disks.map(({ id }) => id)]);
      await host.change(createPool(spec.cluster.storage, node, devices), { timeoutMs: CREATE_TIMEOUT_MS });
      await host.change(markPool(spec.cluster.storage.pool, node, run.id));
    },
    verify: async (ctx) => {
      const pool = await readPool(ctx);
      if (pool === null)
        throw new ProvisionError('StepNotVerified', `LINSTOR does not list pool ${ctx.spec.cluster.storage.pool}`);
      return poolResult(ctx, pool, pool.run === ctx.run.id);
    },
  },

  'cozystack.create-storage-classes': {
    preview: async (ctx) => previewObjects(await clusterIfAny(ctx), classes(ctx.spec)),
    check: async ({ clusters, spec }) => {
      const cluster = await clusters.host(spec);
      for (const wanted of classes(spec)) if (!(await isAsWanted(cluster, wanted))) return null;
      return classesResult;
    },
    apply: async ({ clusters, spec, run }) => {
      for (const wanted of classes(spec)) await ensure(await clusters.host(spec), run.id, wanted);
    },
    verify: async ({ clusters, spec }) => {
      for (const wanted of classes(spec)) await mustBeAsWanted(await clusters.host(spec), wanted);
      return classesResult;
    },
  },
} satisfies Partial<Record<StepNameOf<PhaseName>, StepImplementation>>;

/** For preflight: StorageClasses of somebody else that would not work here. */
export function storageConflicts(cluster: Cluster, spec: ServerSpec): Promise<readonly string[]> {
  return conflictsOf(classes(spec).map((wanted) => () => isAsWanted(cluster, wanted)));
}

const classesResult = { summary: 'StorageClasses local and replicated' };

/** Of LINSTOR itself; while it waits for others, of those that hold it up. */
async function linstorInstalled(cluster: Cluster): Promise<Gate> {
  const release = condition(await cluster.get(LINSTOR_RELEASE_REF), 'Ready', 'HelmRelease cozy-linstor/linstor');
  if (release === null)
    return condition(
      await cluster.get(LINSTOR_CONTROLLER_REF),
      'Available',
      'Deployment cozy-linstor/linstor-controller',
    );
  const { apiVersion, kind } = LINSTOR_RELEASE_REF;
  return allReady(await cluster.list({ apiVersion, kind })) ?? release;
}

function poolResult(
  ctx: StepContext,
  pool: PoolFacts,
  own: boolean,
): { summary: string; facts: Readonly<Record<string, unknown>> } {
  const { pool: name, backend } = ctx.spec.cluster.storage;
  const problem = poolProblem(pool, own ? backend : null);
  // A satellite that has just come back reports errors and no capacity for a while.
  through(problem === null ? null : `LINSTOR pool ${name}: ${problem}`);
  return { summary: `LINSTOR ${describePool(name, pool)}`, facts: { ...pool } };
}
