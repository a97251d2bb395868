/**
 * The objects of one cluster, with the rules that every client of Kubernetes relies on: resourceVersion and conflicts, uid, generation,
 * separate status, finalizers, owner references, namespaces that must exist, and a history that watches read.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { StoredObjects } from '../contract.js';
import { applied, ownedAfterUpdate, type Writer } from './fields.js';
import { AGGREGATED, apiVersionOf, BUILT_IN, kindsOfDefinition, type Kind } from './kinds.js';
import { bare, nextVersion, requireIdentity, sameOwners, withoutStatus } from './next-version.js';
import { ApiError, conflict, equal, isJson, notFound, type ApiObject, type ObjectDraft } from './object.js';
import { requireValidMetadata } from './validate.js';

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: Kind;
  readonly object: ApiObject;
}

/** Older events are gone: a watch that asks for them gets 410, as after etcd's compaction. */
const HISTORY_LIMIT = 2_000;

const REVISION_KEY = '/revision';
const OBJECTS = '/registry/';

/** Objects of these decide which kinds are served. */
const DEFINING_GROUPS = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

/** Namespaces of k3s that are there from the first start. */
const FIRST_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export interface UpdateOptions {
  readonly writer: Writer;
  /** Write only the status, or only the rest. */
  readonly subresource?: 'status';
}

export class ObjectStore {
  /** By collection (`GROUP/PLURAL`), then by `NAMESPACE/NAME`. */
  private readonly objects = new Map<string, Map<string, ApiObject>>();
  private served: readonly Kind[] | null = null;
  private readonly listeners = new Set<(event: StoreEvent) => void>();
  private readonly history: StoreEvent[] = [];
  private revision = 1;

  constructor(stored: StoredObjects) {
    for (const [key, text] of stored) {
      if (key === REVISION_KEY) this.revision = Number(text);
      else if (key.startsWith(OBJECTS)) {
        const [group = '', plural = '', ...rest] = key.slice(OBJECTS.length).split('/');
        this.collection(group, plural).set(rest.join('/'), parseObject(text));
      }
    }
    for (const name of FIRST_NAMESPACES) {
      const namespace = this.kind('v1', 'Namespace');
      if (namespace !== null && this.get(namespace, null, name) === null)
        this.create(namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { manager: 'k3s' });
    }
  }

  dump(): Map<string, string> {
    const out = new Map<string, string>([[REVISION_KEY, String(this.revision)]]);
    for (const [collection, objects] of this.objects)
      for (const [key, object] of objects) out.set(`${OBJECTS}${collection}/${key}`, JSON.stringify(object));
    return out;
  }

  get resourceVersion(): string {
    return String(this.revision);
  }

  kinds(): readonly Kind[] {
    this.served ??= [
      ...BUILT_IN,
      ...this.rawList('apiextensions.k8s.io', 'customresourcedefinitions').flatMap(kindsOfDefinition),
      ...AGGREGATED.filter((kind) => this.apiService(kind) !== null),
    ];
    return this.served;
  }

  kind(apiVersion: string, kind: string): Kind | null {
    return this.kinds().find((k) => k.kind === kind && apiVersionOf(k) === apiVersion) ?? null;
  }

  /** Throws 404 when no such resource is served, 503 when its aggregated server is not available. */
  resource(group: string, version: string, plural: string): Kind {
    const found = this.kinds().find((k) => k.group === group && k.version === version && k.plural === plural);
    if (found === undefined) throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
    const service = this.apiService(found);
    if (service !== null && !isAvailable(service))
      throw new ApiError(503, 'ServiceUnavailable', `the APIService ${service.metadata.name} is not available`);
    return found;
  }

  get(kind: Kind, namespace: string | null, name: string): ApiObject | null {
    return this.collection(kind.group, kind.plural).get(`${namespace ?? ''}/${name}`) ?? null;
  }

  list(kind: Kind, namespace: string | null): readonly ApiObject[] {
    const all = this.rawList(kind.group, kind.plural);
    return namespace === null ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  create(kind: Kind, draft: ObjectDraft, writer: Writer): ApiObject {
    requireIdentity(kind, draft);
    requireValidMetadata(kind, draft.metadata);
    const namespace = kind.namespaced ? (draft.metadata.namespace ?? 'default') : null;
    if (namespace !== null) this.requireNamespace(namespace, kind.plural, draft.metadata.name);
    if (this.get(kind, namespace, draft.metadata.name) !== null)
      throw new ApiError(409, 'AlreadyExists', `${kind.plural} "${draft.metadata.name}" already exists`);
    const { namespace: _ignored, ...metadata } = draft.metadata;
    const object: ApiObject = {
      ...draft,
      ...(kind.kind === 'Namespace' ? { status: { phase: 'Active' } } : {}),
      metadata: {
        ...metadata,
        ...(namespace === null ? {} : { namespace }),
        uid: randomUUID(),
        resourceVersion: '0',
        generation: 1,
        creationTimestamp: now(),
      },
    };
    return this.put('ADDED', kind, ownedAfterUpdate(null, withoutStatus(kind, object), writer, now()));
  }

  /** Replaces what the subresource covers. A resourceVersion that is not the current one is a conflict. */
  update(kind: Kind, namespace: string | null, draft: ObjectDraft, options: UpdateOptions): ApiObject {
    const before = this.require(kind, namespace, draft.metadata.name);
    const wanted = draft.metadata.resourceVersion;
    if (wanted !== undefined && wanted !== '' && wanted !== before.metadata.resourceVersion)
      throw conflict(
        `Operation cannot be fulfilled on ${kind.plural} "${draft.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
      );
    const next = nextVersion(kind, before, draft, options.subresource);
    if (equal(bare(before), bare(next))) return before;
    return this.put('MODIFIED', kind, ownedAfterUpdate(before, next, options.writer, now()));
  }

  /** Server-side apply; creates what is not there. */
  apply(
    kind: Kind,
    namespace: string | null,
    draft: ObjectDraft,
    writer: Writer,
    force: boolean,
  ): { object: ApiObject; created: boolean } {
    requireIdentity(kind, draft);
    requireValidMetadata(kind, draft.metadata);
    let before = this.get(kind, namespace, draft.metadata.name);
    const created = before === null;
    before ??= this.create(
      kind,
      {
        apiVersion: draft.apiVersion,
        kind: draft.kind,
        metadata: { name: draft.metadata.name, ...(namespace === null ? {} : { namespace }) },
      },
      writer,
    );
    const subresource = writer.subresource === 'status' ? 'status' : undefined;
    const next = nextVersion(kind, before, applied(before, draft, writer, force, now()), subresource);
    if (equal(bare(before), bare(next)) && sameOwners(before, next)) return { object: before, created };
    return { object: this.put('MODIFIED', kind, next), created };
  }

  /** Marks for deletion, or removes at once when no finalizer holds it. */
  delete(kind: Kind, namespace: string | null, name: string, policy: string): ApiObject {
    const before = this.require(kind, namespace, name);
    const finalizers = [
      ...(before.metadata.finalizers ?? []),
      ...(policy === 'Foreground' && !before.metadata.finalizers?.includes('foregroundDeletion')
        ? ['foregroundDeletion']
        : []),
    ];
    // A namespace is emptied first; its finalizer is part of the spec on a real server.
    const held = finalizers.length > 0 || kind.kind === 'Namespace';
    if (!held) return this.remove(kind, before);
    if (before.metadata.deletionTimestamp !== undefined) return before;
    return this.put('MODIFIED', kind, {
      ...before,
      ...(kind.kind === 'Namespace' ? { status: { phase: 'Terminating' } } : {}),
      metadata: {
        ...before.metadata,
        ...(finalizers.length > 0 ? { finalizers } : {}),
        deletionTimestamp: now(),
      },
    });
  }

  remove(kind: Kind, object: ApiObject): ApiObject {
    this.collection(kind.group, kind.plural).delete(keyOf(object));
    this.served = DEFINING_GROUPS.has(kind.group) ? null : this.served;
    return this.announce('DELETED', kind, object);
  }

  /** Removes one finalizer, and with the last one an object that is being deleted. */
  dropFinalizer(kind: Kind, object: ApiObject, finalizer: string): void {
    const finalizers = (object.metadata.finalizers ?? []).filter((entry) => entry !== finalizer);
    this.put('MODIFIED', kind, { ...object, metadata: { ...object.metadata, finalizers } });
  }

  /** Every object with its kind, but of kinds that are not served. */
  everything(): readonly { readonly kind: Kind; readonly object: ApiObject }[] {
    return this.kinds().flatMap((kind) => this.rawList(kind.group, kind.plural).map((object) => ({ kind, object })));
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Events after a revision; null when they are not kept any more. */
  since(resourceVersion: string): readonly StoreEvent[] | null {
    const from = Number(resourceVersion);
    const oldest = this.history[0];
    if (this.history.length === HISTORY_LIMIT && oldest !== undefined && from < revisionOf(oldest) - 1) return null;
    return this.history.filter((event) => revisionOf(event) > from);
  }

  private put(type: 'ADDED' | 'MODIFIED', kind: Kind, object: ApiObject): ApiObject {
    const done = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    if (type === 'MODIFIED' && done && kind.kind !== 'Namespace') return this.remove(kind, object);
    const stamped = this.announce(type, kind, object);
    this.collection(kind.group, kind.plural).set(keyOf(stamped), stamped);
    this.served = DEFINING_GROUPS.has(kind.group) ? null : this.served;
    return stamped;
  }

  private announce(type: StoreEvent['type'], kind: Kind, object: ApiObject): ApiObject {
    this.revision += 1;
    const stamped = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.revision) } };
    const event = { type, kind, object: stamped };
    this.history.push(event);
    if (this.history.length > HISTORY_LIMIT) this.history.shift();
    for (const listener of this.listeners) listener(event);
    return stamped;
  }

  private require(kind: Kind, namespace: string | null, name: string): ApiObject {
    const found = this.get(kind, namespace, name);
    if (found === null) throw notFound(kind.plural, kind.group, name);
    return found;
  }

  private requireNamespace(namespace: string, plural: string, name: string): void {
    const found = this.collection('', 'namespaces').get(`/${namespace}`);
    if (found === undefined) throw notFound('namespaces', '', namespace);
    if (found.metadata.deletionTimestamp !== undefined)
      throw new ApiError(
        403,
        'Forbidden',
        `${plural} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
      );
  }

  private apiService(kind: Kind): ApiObject | null {
    return this.collection('apiregistration.k8s.io', 'apiservices').get(`/${kind.version}.${kind.group}`) ?? null;
  }

  private rawList(group: string, plural: string): readonly ApiObject[] {
    return [...this.collection(group, plural).values()];
  }

  private collection(group: string, plural: string): Map<string, ApiObject> {
    const name = `${group}/${plural}`;
    const found = this.objects.get(name);
    if (found !== undefined) return found;
    const made = new Map<string, ApiObject>();
    this.objects.set(name, made);
    return made;
  }
}

const now = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z');
const revisionOf = (event: StoreEvent): number => Number(event.object.metadata.resourceVersion);
const keyOf = ({ metadata }: ApiObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function parseObject(text: string): ApiObject {
  // Only this store writes these texts.
  const object: ApiObject = JSON.parse(text);
  return object;
}

function isAvailable(service: ApiObject): boolean {
  const conditions = isJson(service['status']) ? service['status']['conditions'] : undefined;
  return (
    Array.isArray(conditions) &&
    conditions.filter(isJson).some((c) => c['type'] === 'Available' && c['status'] === 'True')
  );
}
