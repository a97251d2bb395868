/**
 * The Cluster port over a connection: objects by path, found through discovery, with the API's refusals in the terms of the failure table.
 * @module
 */
import { z } from 'zod';
import { FIELD_MANAGER } from '../../domain/cluster/ownership.js';
import type { Cluster, KubeObject, ObjectRef } from '../../ports/cluster.js';
import { ProvisionError } from '../../ports/failure.js';
import type { ApiReply, ApiRequest, Connection } from './connection.js';

const TEXTS = z.record(z.string(), z.string()).optional();
const OBJECT = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
    labels: TEXTS,
    annotations: TEXTS,
  }),
});
const LIST = z.looseObject({ items: z.array(z.looseObject({})) });
const RESOURCES = z.looseObject({
  resources: z.array(z.looseObject({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});
const STATUS = z.looseObject({ reason: z.string().optional(), message: z.string().optional() });

interface Resource {
  readonly plural: string;
  readonly namespaced: boolean;
}

export class ApiCluster implements Cluster {
  private readonly resources = new Map<string, Resource>();

  constructor(
    private readonly connection: Connection,
    /** For messages: `the API of h100-01`. */
    private readonly name: string,
    /** Called when the API cannot be used as it was: credentials and connection are not to be trusted any more. */
    private readonly onBroken: () => void,
  ) {}

  async raw(path: string): Promise<string> {
    return this.expect(await this.send({ method: 'GET', path }), path).body;
  }

  async get(ref: ObjectRef): Promise<KubeObject | null> {
    const path = await this.pathOf(ref);
    if (path === null) return null;
    const reply = await this.send({ method: 'GET', path });
    return reply.code === 404 ? null : this.object(reply, describe(ref));
  }

  async list(kind: {
    apiVersion: string;
    kind: string;
    namespace?: string;
    labelSelector?: string;
  }): Promise<readonly KubeObject[]> {
    const resource = await this.resource(kind.apiVersion, kind.kind);
    if (resource === null) return [];
    const selector = kind.labelSelector === undefined ? '' : `?labelSelector=${encodeURIComponent(kind.labelSelector)}`;
    const path = `${collection(kind.apiVersion, resource, kind.namespace)}${selector}`;
    const reply = await this.send({ method: 'GET', path });
    if (reply.code === 404) return [];
    const list = LIST.parse(this.json(this.expect(reply, `${kind.kind} list`), `${kind.kind} list`));
    // Items of built-in kinds carry neither field; the list stands for them.
    return list.items.map((item) => OBJECT.parse({ apiVersion: kind.apiVersion, kind: kind.kind, ...item })).map(plain);
  }

  async apply(object: KubeObject): Promise<KubeObject> {
    const ref = refOf(object);
    const path = await this.pathOf(ref);
    if (path === null) throw notServed(ref);
    return this.object(
      await this.send({
        method: 'PATCH',
        path: `${path}?fieldManager=${FIELD_MANAGER}`,
        body: object,
        contentType: 'application/apply-patch+yaml',
      }),
      describe(ref),
    );
  }

  async mergePatch(ref: ObjectRef, patch: unknown): Promise<KubeObject> {
    const path = await this.pathOf(ref);
    if (path === null) throw notServed(ref);
    return this.object(
      await this.send({
        method: 'PATCH',
        path: `${path}?fieldManager=${FIELD_MANAGER}`,
        body: patch,
        contentType: 'application/merge-patch+json',
      }),
      describe(ref),
    );
  }

  async delete(ref: ObjectRef): Promise<boolean> {
    const path = await this.pathOf(ref);
    if (path === null) return false;
    const reply = await this.send({
      method: 'DELETE',
      path,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' },
    });
    if (reply.code === 404) return false;
    this.expect(reply, describe(ref));
    return true;
  }

  async podLog(namespace: string, name: string, tailLines: number): Promise<string> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/log?tailLines=${tailLines}`;
    const reply = await this.send({ method: 'GET', path });
    const what = `log of Pod ${namespace}/${name}`;
    // The kubelet's answer for a container that has not started, or whose log went with its node's disk.
    if (reply.code === 400) throw new ProvisionError('NotReadyYet', `${this.name}, ${what}: there is none`);
    return this.expect(reply, what).body;
  }

  private async pathOf(ref: ObjectRef): Promise<string | null> {
    const resource = await this.resource(ref.apiVersion, ref.kind);
    if (resource === null) return null;
    if (resource.namespaced && ref.namespace === undefined)
      throw new TypeError(`${describe(ref)} needs a namespace: its kind is namespaced`);
    return `${collection(ref.apiVersion, resource, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  }

  /** Discovery; what is not there is asked for again each time, since kinds appear while a platform is installed. */
  private async resource(apiVersion: string, kind: string): Promise<Resource | null> {
    const key = `${apiVersion} ${kind}`;
    const known = this.resources.get(key);
    if (known !== undefined) return known;
    const path = root(apiVersion);
    const reply = await this.send({ method: 'GET', path });
    if (reply.code === 404) return null;
    const { resources } = RESOURCES.parse(this.json(this.expect(reply, path), path));
    const found = resources.find((entry) => entry.kind === kind && !entry.name.includes('/'));
    if (found === undefined) return null;
    const resource = { plural: found.name, namespaced: found.namespaced };
    this.resources.set(key, resource);
    return resource;
  }

  private async send(call: ApiRequest): Promise<ApiReply> {
    try {
      const reply = await this.connection.send(call);
      if (reply.code === 401) this.onBroken();
      return reply;
    } catch (error) {
      this.onBroken();
      throw error;
    }
  }

  private object(reply: ApiReply, what: string): KubeObject {
    return plain(OBJECT.parse(this.json(this.expect(reply, what), what)));
  }

  private json(reply: ApiReply, what: string): unknown {
    try {
      return JSON.parse(reply.body);
    } catch (error) {
      throw new ProvisionError('ClusterUnreachable', `${this.name} answers no JSON for ${what}`, {}, { cause: error });
    }
  }

  private expect(reply: ApiReply, what: string): ApiReply {
    if (reply.code >= 200 && reply.code < 300) return reply;
    const { reason = '', message = reply.body.slice(0, 300) } = statusOf(reply.body);
    const text = `${this.name}, ${what}: ${message} (${reply.code} ${reason})`;
    if (reply.code === 404) throw new ProvisionError('NotReadyYet', text);
    // Somebody wrote between our read and our write; the next attempt reads again.
    if (reason === 'Conflict' && !message.startsWith('Apply failed')) throw new ProvisionError('NotReadyYet', text);
    if (reply.code === 401 || reply.code === 429 || reply.code >= 500)
      throw new ProvisionError('ClusterUnreachable', text);
    throw new ProvisionError('ClusterConflict', text);
  }
}

const root = (apiVersion: string): string => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

function collection(apiVersion: string, resource: Resource, namespace: string | undefined): string {
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root(apiVersion)}${scope}/${resource.plural}`;
}

const describe = (ref: ObjectRef): string =>
  `${ref.kind} ${ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`}`;

function refOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef {
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

const notServed = (ref: ObjectRef): ProvisionError =>
  new ProvisionError('NotReadyYet', `${describe(ref)}: the API does not serve ${ref.apiVersion} ${ref.kind} yet`);

function statusOf(body: string): { reason?: string | undefined; message?: string | undefined } {
  try {
    return STATUS.parse(JSON.parse(body));
  } catch {
    return {};
  }
}

/** Without keys whose value is undefined, which zod writes for optional ones. */
function plain(object: z.infer<typeof OBJECT>): KubeObject {
  const { metadata, ...rest } = object;
  const { name, namespace, uid, resourceVersion, labels, annotations, ...more } = metadata;
  return {
    ...rest,
    metadata: {
      ...more,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}
