/**
 * What a controller sees: the objects, the host's devices, the faults; and the loop that lets controllers act until nothing changes.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { APPLY_TYPE, type ApiClient } from './api/client.js';
import { kindOf, pathOf, type Kind } from './api/kinds.js';
import { ApiError, equal, isJson, type ApiObject, type Json, type ObjectDraft } from './api/object.js';
import { isOfTheApi, ObjectCache } from './cache.js';
import type { ClusterFault, ClusterFaultEffect, Pace } from './contract.js';

/** Controllers look again this long after a change: long enough that clients see the stages, short enough for hundreds of them. */
const STAGE_MS = 10;
/** And this long after the API refused one of them or was not there. */
const AGAIN_MS = 100;

/** Level-triggered, as in Kubernetes: reads the state, moves each of its objects on by one stage at most, and is called again after any change. */
export interface Controller {
  readonly name: string;
  reconcile(world: World): Promise<void>;
}

export interface ConditionDraft {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** Reads come from a copy that may be behind; a write made from an old version is refused and tried again. */
export class World {
  private readonly cache: ObjectCache;
  private readonly listeners = new Set<() => void>();
  private readonly spent = new Map<ClusterFault, number>();
  /** What was applied last, by manager and path, and to which object. */
  private readonly applied = new Map<string, { readonly draft: ObjectDraft; readonly uid: string }>();
  private running: Promise<void> | null = null;
  private changed = false;
  private started = false;
  private readonly stopping = new AbortController();

  constructor(
    private readonly client: ApiClient,
    private readonly controllers: readonly Controller[],
    private readonly faults: readonly ClusterFault[],
    private readonly pace: Pace = (signal) => delay(STAGE_MS, undefined, { signal }),
  ) {
    this.cache = new ObjectCache(client, () => {
      this.wake();
      for (const listener of this.listeners) listener();
    });
  }

  /** Resolves when the objects that are there are known and `prepare` has been at them; controllers act from then on. */
  async start(prepare: () => Promise<void>): Promise<void> {
    await this.cache.start();
    await prepare();
    this.started = true;
    this.wake();
  }

  /** Something outside the objects changed, or the world begins. */
  wake(): void {
    this.changed = true;
    if (!this.started || this.stopping.signal.aborted) return;
    this.running ??= this.run().finally(() => {
      this.running = null;
      if (this.changed) this.wake();
    });
  }

  /** Resolves when nothing acts any more; the client must be closed by then, or closing. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.cache.stop();
  }

  /** Calls back after every change of an object, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** null also while the kind is not served. */
  get(apiVersion: string, kind: string, name: string, namespace: string | null = null): ApiObject | null {
    return this.cache.get(kindOf({ apiVersion, kind }), namespace, name);
  }

  list(apiVersion: string, kind: string, namespace: string | null = null): readonly ApiObject[] {
    return this.cache.list(kindOf({ apiVersion, kind }), namespace);
  }

  everything(): readonly ApiObject[] {
    return this.cache.everything();
  }

  /** Makes the named fields so by server-side apply, takes back those it named before, and leaves the others alone. */
  async ensure(draft: ObjectDraft, manager: string): Promise<ApiObject> {
    const path = this.pathOf(draft);
    const key = `${manager} ${path}`;
    const live = this.live(draft);
    const last = this.applied.get(key);
    if (live !== null && last?.uid === live.metadata.uid && equal(last.draft, draft) && covers(live, draft))
      return live;
    const made = await this.write('PATCH', `${path}?fieldManager=${manager}&force=true`, draft, APPLY_TYPE);
    this.applied.set(key, { draft, uid: made.metadata.uid });
    return made;
  }

  async createOnce(draft: ObjectDraft, manager: string): Promise<void> {
    if (this.live(draft) !== null) return;
    try {
      await this.write('POST', `${this.collectionOf(draft)}?fieldManager=${manager}`, draft);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
    }
  }

  /** Sets fields of the status; the others stay. */
  async setStatus(object: ApiObject, fields: Json, manager = 'controller'): Promise<ApiObject> {
    const live = this.current(object);
    if (covers(live['status'], fields)) return live;
    const path = `${this.pathOf(object)}/status?fieldManager=${manager}`;
    return this.write('PATCH', path, { status: fields }, MERGE_TYPE);
  }

  /** Sets one condition; its transition time changes only with its status. */
  async setCondition(object: ApiObject, condition: ConditionDraft, fields: Json = {}): Promise<ApiObject> {
    const others = conditionsOf(this.current(object));
    const before = others.find((entry) => entry['type'] === condition.type);
    const lastTransitionTime =
      before?.['status'] === condition.status ? before['lastTransitionTime'] : new Date().toISOString();
    return this.setStatus(object, {
      ...fields,
      conditions: [...others.filter((entry) => entry['type'] !== condition.type), { ...condition, lastTransitionTime }],
    });
  }

  /** Replaces everything but the status. Throws a conflict when the object is not the newest version. */
  async replace(object: ApiObject, manager = 'controller'): Promise<ApiObject> {
    const live = this.live(object);
    if (live !== null && equal(live, object)) return live;
    return this.write('PUT', `${this.pathOf(object)}?fieldManager=${manager}`, object);
  }

  /** Starts the deletion; an object that is gone, or going, is left to it. */
  async delete(object: ApiObject): Promise<void> {
    if (this.current(object).metadata.deletionTimestamp !== undefined) return;
    const { uid } = object.metadata;
    const options = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions: { uid },
      propagationPolicy: 'Background',
    };
    await this.ask('DELETE', this.pathOf(object), options);
  }

  /** Removes one finalizer, and with the last one an object that is being deleted. */
  async dropFinalizer(object: ApiObject, finalizer: string): Promise<void> {
    const finalizers = (object.metadata.finalizers ?? []).filter((entry) => entry !== finalizer);
    await this.replace({ ...object, metadata: { ...object.metadata, finalizers } });
  }

  /** Removes a pod whose containers have ended, without the time that the deletion of a running one gives them. */
  async removePod(pod: ApiObject): Promise<void> {
    const { uid } = pod.metadata;
    await this.ask('DELETE', this.pathOf(pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  /** Gives a pod to a node; known at once, so that the next pod does not get the same place. */
  async bind(pod: ApiObject, node: string): Promise<void> {
    const { name, namespace } = pod.metadata;
    const target = { apiVersion: 'v1', kind: 'Node', name: node };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
    await this.client.ask('POST', `${this.pathOf(pod)}/binding`, binding);
    // The API server answers with the pod.
    this.cache.written((await this.client.ask('GET', this.pathOf(pod))) as ApiObject);
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

  private async run(): Promise<void> {
    while (this.changed && !this.stopping.signal.aborted) {
      this.changed = false;
      await this.pace(this.stopping.signal).catch(() => undefined);
      for (const controller of this.controllers) await this.reconcile(controller);
    }
  }

  /** What the API refused is tried again, as from a controller's work queue. */
  private async reconcile(controller: Controller): Promise<void> {
    if (this.stopping.signal.aborted) return;
    try {
      await controller.reconcile(this);
    } catch (error) {
      if (!isOfTheApi(error)) throw error;
      setTimeout(() => this.wake(), AGAIN_MS).unref();
    }
  }

  private async write(method: string, path: string, body: object, type?: string): Promise<ApiObject> {
    const separator = path.includes('?') ? '&' : '?';
    // The API server answers a write of an object with it.
    const made = (await this.client.ask(method, `${path}${separator}fieldValidation=Strict`, body, type)) as ApiObject;
    this.cache.written(made);
    this.wake();
    return made;
  }

  /** What is gone already needs no request. */
  private async ask(method: string, path: string, body: object): Promise<void> {
    try {
      await this.client.ask(method, path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }

  private live(object: ObjectDraft): ApiObject | null {
    const kind = kindOf(object);
    return this.cache.get(kind, namespaceOf(kind, object), object.metadata.name);
  }

  private current(object: ApiObject): ApiObject {
    return this.live(object) ?? object;
  }

  private pathOf(object: ObjectDraft): string {
    const kind = kindOf(object);
    return pathOf(kind, namespaceOf(kind, object), object.metadata.name);
  }

  private collectionOf(object: ObjectDraft): string {
    const kind = kindOf(object);
    return pathOf(kind, namespaceOf(kind, object));
  }
}

const MERGE_TYPE = 'application/merge-patch+json';

const namespaceOf = (kind: Kind, { metadata }: ObjectDraft): string | null =>
  kind.namespaced ? (metadata.namespace ?? 'default') : null;

/** Whether every named field has its value; what is not named may be anything. */
function covers(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(live) && live.length === wanted.length && wanted.every((item, i) => covers(live[i], item));
  if (!isJson(wanted)) return equal(live, wanted) || (wanted === undefined && live === undefined);
  return (
    isJson(live) && Object.entries(wanted).every(([key, value]) => value === undefined || covers(live[key], value))
  );
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
