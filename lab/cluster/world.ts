/**
 * What a controller sees: the objects, the host's devices, the faults; and the loop that lets controllers act until nothing changes.
 * @module
 */
import type { Kind } from './api/kinds.js';
import { ApiError, isJson, type ApiObject, type Json, type ObjectDraft } from './api/object.js';
import type { ObjectStore } from './api/store.js';
import type { ClusterFault, ClusterFaultEffect } from './contract.js';

/** Controllers look again this long after a change: long enough that clients see the stages, short enough for hundreds of them. */
const STAGE_MS = 10;

/** Level-triggered, as in Kubernetes: reads the state, moves each of its objects on by one stage at most, and is called again after any change. */
export interface Controller {
  readonly name: string;
  reconcile(world: World): void;
}

export interface ConditionDraft {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export class World {
  private readonly spent = new Map<ClusterFault, number>();
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  private readonly unsubscribe: () => void;

  constructor(
    readonly store: ObjectStore,
    private readonly controllers: readonly Controller[],
    private readonly faults: readonly ClusterFault[],
  ) {
    this.unsubscribe = store.onEvent(() => this.wake());
  }

  /** Something outside the objects changed, or the world begins. */
  wake(): void {
    if (this.stopped || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      for (const controller of this.controllers) this.run(controller);
    }, STAGE_MS);
  }

  /** What the API refuses is tried again, as a controller's work queue does. */
  private run(controller: Controller): void {
    try {
      controller.reconcile(this);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.wake();
    }
  }

  stop(): void {
    this.stopped = true;
    this.unsubscribe();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** null also while the kind is not served. */
  get(apiVersion: string, kind: string, name: string, namespace: string | null = null): ApiObject | null {
    const served = this.store.kind(apiVersion, kind);
    return served === null ? null : this.store.get(served, namespace, name);
  }

  list(apiVersion: string, kind: string, namespace: string | null = null): readonly ApiObject[] {
    const served = this.store.kind(apiVersion, kind);
    return served === null ? [] : this.store.list(served, namespace);
  }

  /** Makes the named fields so, and leaves the others alone. Nothing is written when they are so already. */
  ensure(draft: ObjectDraft, manager: string): ApiObject {
    const kind = this.kindOf(draft);
    const namespace = kind.namespaced ? (draft.metadata.namespace ?? 'default') : null;
    return this.store.apply(kind, namespace, draft, { manager }, true).object;
  }

  createOnce(draft: ObjectDraft, manager: string): void {
    const kind = this.kindOf(draft);
    if (this.store.get(kind, draft.metadata.namespace ?? null, draft.metadata.name) === null)
      this.store.create(kind, draft, { manager });
  }

  /** Sets fields of the status; the others stay. */
  setStatus(object: ApiObject, fields: Json, manager = 'controller'): ApiObject {
    const live = this.current(object);
    const status = { ...(isJson(live['status']) ? live['status'] : {}), ...fields };
    return this.store.update(
      this.kindOf(object),
      live.metadata.namespace ?? null,
      { ...live, status },
      { writer: { manager, subresource: 'status' }, subresource: 'status' },
    );
  }

  /** Sets one condition; its transition time changes only with its status. */
  setCondition(object: ApiObject, condition: ConditionDraft, fields: Json = {}): ApiObject {
    const others = conditionsOf(this.current(object));
    const before = others.find((entry) => entry['type'] === condition.type);
    const lastTransitionTime =
      before?.['status'] === condition.status ? before['lastTransitionTime'] : new Date().toISOString();
    return this.setStatus(object, {
      ...fields,
      conditions: [...others.filter((entry) => entry['type'] !== condition.type), { ...condition, lastTransitionTime }],
    });
  }

  /** Replaces everything but the status. */
  replace(object: ApiObject, manager = 'controller'): ApiObject {
    return this.store.update(this.kindOf(object), object.metadata.namespace ?? null, object, { writer: { manager } });
  }

  delete(object: ApiObject): void {
    this.store.delete(this.kindOf(object), object.metadata.namespace ?? null, object.metadata.name, 'Background');
  }

  /** The rule for this effect at this object, if any; its `times` are not used up. */
  fault(effect: ClusterFaultEffect, subject: string): ClusterFault | null {
    const found = this.faults.find(
      (fault) => fault.effect === effect && (fault.subject === undefined || fault.subject === subject),
    );
    if (found === undefined) return null;
    return (this.spent.get(found) ?? 0) < (found.times ?? Number.POSITIVE_INFINITY) ? found : null;
  }

  /** The same, and counts one time. Looks again afterwards: a second strike may change no object. */
  strike(effect: ClusterFaultEffect, subject: string): boolean {
    const found = this.fault(effect, subject);
    if (found === null) return false;
    this.spent.set(found, (this.spent.get(found) ?? 0) + 1);
    this.wake();
    return true;
  }

  private current(object: ApiObject): ApiObject {
    return this.store.get(this.kindOf(object), object.metadata.namespace ?? null, object.metadata.name) ?? object;
  }

  private kindOf(object: { readonly apiVersion: string; readonly kind: string }): Kind {
    const kind = this.store.kind(object.apiVersion, object.kind);
    if (kind === null) throw new ApiError(404, 'NotFound', `${object.apiVersion} ${object.kind} is not served`);
    return kind;
  }
}

export function conditionsOf(object: ApiObject): readonly Json[] {
  const conditions = isJson(object['status']) ? object['status']['conditions'] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isJson) : [];
}

export function isTrue(object: ApiObject | null, type: string): boolean {
  return object !== null && conditionsOf(object).some((entry) => entry['type'] === type && entry['status'] === 'True');
}

export function reason(object: ApiObject, type: string): string | null {
  const found = conditionsOf(object).find((entry) => entry['type'] === type);
  return typeof found?.['reason'] === 'string' ? found['reason'] : null;
}

/** The value at a path, or undefined. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((here, key) => (isJson(here) ? here[key] : undefined), value);
}

/** The text at a path, or the fallback when there is none. */
export function textField(fallback: string, value: unknown, ...path: readonly string[]): string {
  const found = field(value, ...path);
  return typeof found === 'string' ? found : fallback;
}

export const ownedBy = (owner: ApiObject): NonNullable<ApiObject['metadata']['ownerReferences']> => [
  { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid },
];

export const keyOf = (object: ApiObject): string =>
  object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`;
