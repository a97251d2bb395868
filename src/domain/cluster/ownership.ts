/**
 * How objects say which run made them. Undo and conflict checks trust nothing else.
 * @module
 */
import type { KubeObject } from './objects.js';

export const FIELD_MANAGER = 'gpu-provision';
/** The well-known label, so that `kubectl get -l` finds everything. */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
/** Value: id of the run that created the object. */
export const RUN_LABEL = 'gpu-provision/run';

/** The object with this run's mark; marks win over what the object says. */
export function marked<T extends KubeObject>(object: T, runId: string): T {
  const labels = { ...object.metadata.labels, [MANAGED_BY_LABEL]: FIELD_MANAGER, [RUN_LABEL]: runId };
  return { ...object, metadata: { ...object.metadata, labels } };
}

/** Whether a run of this program created the object; which one is in the label. */
export function isMarked(object: KubeObject): boolean {
  return object.metadata.labels?.[MANAGED_BY_LABEL] === FIELD_MANAGER && runOf(object) !== null;
}

/** The run that created the object, or null when it is not ours. */
export function runOf(object: KubeObject): string | null {
  return object.metadata.labels?.[RUN_LABEL] ?? null;
}
