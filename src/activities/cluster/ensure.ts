/**
 * Objects of ours in a cluster: made as wanted, never taken from somebody else, and taken away only by the run that made them.
 * @module
 */
import { differences } from '../../domain/cluster/differences.js';
import { isMarked, marked, runOf } from '../../domain/cluster/ownership.js';
import { fieldConflicts, nameOf, type KubeObject } from '../../domain/cluster/objects.js';
import type { Cluster, ObjectRef } from '../../ports/cluster.js';
import { ProvisionError } from '../../ports/failure.js';
import type { PreviewedChange } from '../host/preview.js';

export const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

export interface Ensure {
  readonly object: KubeObject;
  /** Differences at these paths are never applied: they cannot be changed on a running cluster. */
  readonly fixed?: RegExp;
  /** In an object that somebody else made, only differences at these paths count; all of them when left out. */
  readonly essential?: RegExp;
}

/**
 * Whether the object is as wanted already. Throws ClusterConflict when it is not, and either nobody of ours made it or the difference
 * cannot be changed.
 */
export async function isAsWanted(cluster: Cluster, { object, fixed, essential }: Ensure): Promise<boolean> {
  const found = await cluster.get(refOf(object));
  if (found === null) return false;
  const { metadata: _metadata, ...wanted } = object;
  const isOurs = isMarked(found);
  const different = differences(wanted, found).filter((path) => isOurs || (essential?.test(path) ?? true));
  if (different.length === 0) return true;
  if (!isOurs)
    throw new ProvisionError(
      'ClusterConflict',
      `${nameOf(object)} is there already and was not made by gpu-provision; it differs in ${different.join(', ')}`,
    );
  const stuck = fixed === undefined ? [] : different.filter((path) => fixed.test(path));
  if (stuck.length > 0)
    throw new ProvisionError(
      'ClusterConflict',
      `${nameOf(object)} has another ${stuck.join(', ')} than the inventory wants; this cannot be changed on a cluster that is there`,
    );
  return false;
}

/**
 * Makes the object with this run's mark, or brings the one that a run of ours made up to date; it keeps the mark of the run that created
 * it. Applications of Cozystack are patched instead: they are stored as HelmReleases and lose their managedFields on the way, so that a
 * second apply would quarrel with the first one.
 */
export async function ensure(cluster: Cluster, runId: string, wanted: Ensure): Promise<void> {
  if (await isAsWanted(cluster, wanted)) return;
  const { object } = wanted;
  const ref = refOf(object);
  const found = await cluster.get(ref);
  const { metadata: _metadata, ...fields } = object;
  if (found !== null && object.apiVersion.startsWith(APPLICATIONS)) {
    await cluster.mergePatch(ref, fields);
    return;
  }
  try {
    await cluster.apply(marked(object, (found === null ? null : runOf(found)) ?? runId));
  } catch (error) {
    throw saidByField(error, object);
  }
}

/** Somebody else's tool has set a field of ours since: named with the field, and never taken from it. */
function saidByField(error: unknown, object: KubeObject): unknown {
  if (!(error instanceof ProvisionError) || error.type !== 'ClusterConflict') return error;
  const fields = fieldConflicts(error.message);
  if (fields.length === 0) return error;
  const whose = fields.map(({ field, manager }) => `${field} is managed by ${manager}`).join('; ');
  return new ProvisionError(
    'ClusterConflict',
    `${nameOf(object)}: ${whose}. Nothing is taken from another manager: undo that change with the tool that made it, or change the inventory`,
    { fields },
    { cause: error },
  );
}

/** Served by cozystack-api, not from definitions. */
const APPLICATIONS = 'apps.cozystack.io/';

/** Reads back; throws StepNotVerified when it is not as applied. */
export async function mustBeAsWanted(cluster: Cluster, wanted: Ensure): Promise<void> {
  if (!(await isAsWanted(cluster, wanted)))
    throw new ProvisionError('StepNotVerified', `${nameOf(wanted.object)} does not read back as applied`);
}

/** Deletes what this run created, and is done when it is gone. Throws NotReadyYet while finalizers hold it. */
export async function removeOwn(cluster: Cluster, runId: string, ref: ObjectRef): Promise<string> {
  const name = `${ref.kind} ${ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`}`;
  const found = await cluster.get(ref);
  if (found === null) return `${name} is not there`;
  if (runOf(found) !== runId) return `${name} stays: this run did not create it`;
  await cluster.delete(ref);
  if ((await cluster.get(ref)) !== null) throw new ProvisionError('NotReadyYet', `${name} is being deleted`);
  return `${name} deleted`;
}

/** What stands in the way, of looks that throw ClusterConflict when something does. What is not there yet does not. */
export async function conflictsOf(looks: readonly (() => Promise<unknown>)[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const look of looks) {
    try {
      await look();
    } catch (error) {
      if (!(error instanceof ProvisionError) || (error.type !== 'ClusterConflict' && error.type !== 'NotReadyYet'))
        throw error;
      if (error.type === 'ClusterConflict') found.push(error.message);
    }
  }
  return found;
}

/** Whether nothing would be done about an object: it is as wanted, or stands in the way. */
async function isSettled(cluster: Cluster, wanted: Ensure): Promise<boolean> {
  try {
    return await isAsWanted(cluster, wanted);
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'ClusterConflict') return true;
    throw error;
  }
}

/**
 * For the plan: what would be created or changed; everything while there is no cluster yet. An object that stands in the way is preflight's
 * to say.
 */
export async function previewObjects(
  cluster: Cluster | null,
  wanted: readonly Ensure[],
): Promise<readonly PreviewedChange[]> {
  const changes: PreviewedChange[] = [];
  for (const each of wanted) {
    if (cluster !== null && (await isSettled(cluster, each))) continue;
    const isThere = cluster !== null && (await cluster.get(refOf(each.object))) !== null;
    changes.push({ sign: isThere ? '~' : '+', kind: 'object', what: nameOf(each.object), diff: '' });
  }
  return changes;
}
