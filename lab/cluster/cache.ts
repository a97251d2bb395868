/**
 * A copy of a cluster's objects that follows the API: every kind of the table is listed and watched, custom ones as soon as they are served.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api/client.js';
import { KINDS, kindOf, pathOf, type Kind } from './api/kinds.js';
import { ApiError, isJson, type ApiObject, type Json } from './api/object.js';

/** A kind whose definition has just been accepted is not served yet; and a server that ends a watch gets time to come back. */
const AGAIN_MS = 50;

interface Followed {
  readonly kind: Kind;
  /** By `NAMESPACE/NAME`. */
  readonly objects: Map<string, ApiObject>;
  /** Every change up to this resourceVersion is in `objects`. */
  upTo: number;
}

export class ObjectCache {
  private readonly followed = new Map<string, Followed>();
  private readonly loops: Promise<void>[] = [];
  private stopped = false;

  constructor(
    private readonly client: ApiClient,
    private readonly onChange: () => void,
  ) {}

  /** Resolves when the built-in kinds, and the custom ones that are defined, are here. */
  async start(): Promise<void> {
    await Promise.all(KINDS.filter(({ definition }) => definition === null).map((kind) => this.follow(kind)));
    await Promise.all(this.defined().map((kind) => this.follow(kind)));
  }

  /** Resolves when nothing is asked any more; the client must be closed by then, or closing. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops);
  }

  /** null also while the kind is not served. */
  get(kind: Kind, namespace: string | null, name: string): ApiObject | null {
    return this.of(kind)?.objects.get(`${namespace ?? ''}/${name}`) ?? null;
  }

  list(kind: Kind, namespace: string | null): readonly ApiObject[] {
    const all = [...(this.of(kind)?.objects.values() ?? [])];
    return namespace === null ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  everything(): readonly ApiObject[] {
    return [...this.followed.values()].flatMap(({ objects }) => [...objects.values()]);
  }

  /** What a write of our own returned: known before the watch tells. */
  written(object: ApiObject): void {
    const followed = this.of(kindOf(object));
    const gone = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    // Changes that the watch has told already may include its deletion.
    if (followed === undefined || gone || versionOf(object) <= followed.upTo) return;
    const known = followed.objects.get(keyOf(object));
    if (known === undefined || versionOf(known) < versionOf(object)) followed.objects.set(keyOf(object), object);
  }

  private of({ apiVersion, kind }: Kind): Followed | undefined {
    return this.followed.get(`${apiVersion} ${kind}`);
  }

  /** Custom kinds whose definition is established. */
  private defined(): readonly Kind[] {
    const established = new Set(
      this.list(DEFINITION, null)
        .filter(isEstablished)
        .map((object) => object.metadata.name),
    );
    return KINDS.filter(({ definition }) => definition !== null && established.has(definition));
  }

  private follow(kind: Kind): Promise<void> {
    if (this.of(kind) !== undefined || this.stopped) return Promise.resolve();
    const followed: Followed = { kind, objects: new Map(), upTo: 0 };
    this.followed.set(`${kind.apiVersion} ${kind.kind}`, followed);
    return new Promise((listed) => {
      // A stopped cache has nothing more to list.
      this.loops.push(this.loop(followed, listed).finally(listed));
    });
  }

  private async loop(followed: Followed, listed: () => void): Promise<void> {
    while (!this.stopped) {
      try {
        await this.fill(followed);
        listed();
        const from = `watch=true&allowWatchBookmarks=true&resourceVersion=${followed.upTo}`;
        await this.client.watch(`${pathOf(followed.kind)}?${from}`, (event) => this.take(followed, event));
      } catch (error) {
        if (!isOfTheApi(error)) throw error;
      }
      if (!this.stopped) await delay(AGAIN_MS);
    }
  }

  private async fill(followed: Followed): Promise<void> {
    const { apiVersion, kind } = followed.kind;
    // The API server answers a list with one.
    const list = (await this.client.ask('GET', pathOf(followed.kind))) as {
      metadata: { resourceVersion: string };
      items: readonly ApiObject[];
    };
    followed.objects.clear();
    // Items of built-in kinds carry neither.
    for (const item of list.items) followed.objects.set(keyOf(item), { ...item, apiVersion, kind });
    followed.upTo = Number(list.metadata.resourceVersion);
    this.changed(followed);
  }

  private take(followed: Followed, { type, object }: Json): void {
    // An ERROR ends the watch, and what was missed is listed.
    if (type === 'ERROR' || !isJson(object)) return;
    const told = object as ApiObject;
    followed.upTo = versionOf(told);
    if (type === 'BOOKMARK') return;
    const known = followed.objects.get(keyOf(told));
    if (known !== undefined && versionOf(known) > followed.upTo) return;
    if (type === 'DELETED') followed.objects.delete(keyOf(told));
    else followed.objects.set(keyOf(told), told);
    this.changed(followed);
  }

  private changed({ kind }: Followed): void {
    if (kind === DEFINITION) for (const defined of this.defined()) void this.follow(defined);
    this.onChange();
  }
}

const DEFINITION = kindOf({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' });

const versionOf = (object: ApiObject): number => Number(object.metadata.resourceVersion);
const keyOf = ({ metadata }: ApiObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

function isEstablished({ status }: ApiObject): boolean {
  const conditions = isJson(status) ? status['conditions'] : undefined;
  return (
    Array.isArray(conditions) &&
    conditions.filter(isJson).some((entry) => entry['type'] === 'Established' && entry['status'] === 'True')
  );
}

/** A refusal, or a connection that ended: what a client of an API server has to live with. */
export function isOfTheApi(error: unknown): boolean {
  return error instanceof ApiError || (error instanceof Error && 'code' in error && typeof error.code === 'string');
}
