/**
 * What still holds an installation up, read off the objects. Each gate gives null when it is open, else one line that names the object and
 * its own reason. Ready=False is never taken for a failure here: Flux retries, and the deadline of the step decides.
 * @module
 */
import { conditionOf, countAt, hasCondition, nameOf, textAt, type Condition, type KubeObject } from './objects.js';

export type Gate = string | null;

/** Fewer than this means that the platform has not rendered its releases yet: every variant has dozens. */
const FEWEST_RELEASES = 10;
/** Names in a message; the rest is a number. */
const SHOWN = 4;

/** The first gate that is shut. */
export function firstShut(gates: readonly Gate[]): Gate {
  return gates.find((gate) => gate !== null) ?? null;
}

/** Waits for an object to exist. */
export function exists(object: KubeObject | null, name: string): Gate {
  return object === null ? `${name} does not exist yet` : null;
}

/** Waits for a condition such as Ready or Available to be True. */
export function condition(object: KubeObject | null, type: string, name: string): Gate {
  if (object === null) return `${name} does not exist yet`;
  const found = conditionOf(object, type);
  return found?.status === 'True' ? null : `${name} is not ${type}: ${reasonOf(found)}`;
}

export function reasonOf(found: Condition | null): string {
  if (found === null) return 'no status yet';
  return [found.reason, found.message].filter((part) => part !== '').join(', ') || found.status;
}

const waitsForOthers = (object: KubeObject): boolean => /dependenc/i.test(reasonOf(conditionOf(object, 'Ready')));

/** All of them ready; says which are not, the ones with a reason of their own before those that wait for others. */
export function allReady(objects: readonly KubeObject[]): Gate {
  const waiting = objects.filter((object) => !hasCondition(object, 'Ready'));
  if (waiting.length === 0) return null;
  const named = waiting
    .toSorted((a, b) => Number(waitsForOthers(a)) - Number(waitsForOthers(b)))
    .slice(0, SHOWN)
    .map((object) => `${nameOf(object)} (${reasonOf(conditionOf(object, 'Ready'))})`);
  const more = waiting.length > SHOWN ? ` and ${waiting.length - SHOWN} more` : '';
  return `${objects.length - waiting.length} of ${objects.length} ${objects[0]?.kind ?? 'object'}s ready; waiting for ${named.join('; ')}${more}`;
}

/** Every HelmRelease, once there are enough to believe that all have been rendered. */
export function releases(list: readonly KubeObject[]): Gate {
  if (list.length <= FEWEST_RELEASES)
    return `${list.length} HelmReleases so far; the platform has not rendered them all`;
  return allReady(list);
}

/** Every Package: Ready means that its releases were generated, not that they are deployed. */
export function packages(list: readonly KubeObject[]): Gate {
  return list.length === 0 ? 'no Package yet' : allReady(list);
}

/** KubeVirt itself; its HelmRelease says nothing about it. */
export function kubevirtDeployed(kubevirt: KubeObject | null): Gate {
  if (kubevirt === null) return 'KubeVirt cozy-kubevirt/kubevirt does not exist yet';
  const phase = textAt(kubevirt, 'status', 'phase');
  if (phase !== 'Deployed') return `KubeVirt is ${phase ?? 'not started'}, not Deployed`;
  return condition(kubevirt, 'Available', 'KubeVirt');
}

/** A Job of the Helm controller: null when it is done. */
export function jobDone(job: KubeObject | null, name: string): Gate {
  if (job === null) return `Job ${name} does not exist yet`;
  if (hasCondition(job, 'Complete')) return null;
  const failed = countAt(job, 'status', 'failed') ?? 0;
  return `Job ${name} runs${failed === 0 ? '' : `, ${failed} attempts failed`}`;
}

/** A Job that will not try again, and why; null while it may still succeed. */
export function jobFailure(job: KubeObject | null): string | null {
  const failed = job === null ? null : conditionOf(job, 'Failed');
  return failed?.status === 'True' ? reasonOf(failed) : null;
}

/** Every node Ready; a k3s node is not until the CNI is there. */
export function nodesReady(nodes: readonly KubeObject[]): Gate {
  return nodes.length === 0 ? 'no Node yet' : allReady(nodes);
}
