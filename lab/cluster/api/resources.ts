/**
 * Get, list, create, update, patch, delete and logs: the verbs on resources.
 * @module
 */
import { selected, type Answer, type Call, type Target } from './call.js';
import { apiVersionOf, BUILT_IN } from './kinds.js';
import { ApiError, badRequest, isJson, notFound, type ApiObject, type ObjectDraft } from './object.js';
import { jsonPatch, mergePatch } from './patch.js';
import type { ObjectStore } from './store.js';

export interface ResourceOptions {
  readonly store: ObjectStore;
  /** Log of a pod's container, or null when there is none yet. */
  readonly podLog: (namespace: string, name: string) => string | null;
}

export async function onResource(options: ResourceOptions, call: Call, target: Target): Promise<Answer> {
  const { store } = options;
  const { kind, namespace, name, subresource } = target;
  if (name === null) {
    if (call.method === 'GET') return { code: 200, body: listOf(store, call, target) };
    if (call.method === 'POST') {
      const draft = draftOf(await call.body());
      const placed = namespace === null ? draft : { ...draft, metadata: { ...draft.metadata, namespace } };
      return { code: 201, body: store.create(kind, placed, { manager: call.userAgent }) };
    }
    throw new ApiError(405, 'MethodNotAllowed', `${call.method} is not supported on a collection`);
  }
  if (kind.namespaced && namespace === null) throw notFound(kind.plural, kind.group, name);
  if (kind.kind === 'Pod' && subresource === 'log') return podLog(options, call, namespace ?? '', name);
  if (subresource !== null && subresource !== 'status')
    throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  const live = store.get(kind, namespace, name);
  switch (call.method) {
    case 'GET':
      if (live === null) throw notFound(kind.plural, kind.group, name);
      return { code: 200, body: live };
    case 'DELETE': {
      const body = await call.body();
      const policy = call.query.get('propagationPolicy') ?? (isJson(body) ? body['propagationPolicy'] : undefined);
      return {
        code: 200,
        body: store.delete(kind, namespace, name, typeof policy === 'string' ? policy : 'Background'),
      };
    }
    case 'PUT': {
      const draft = draftOf(await call.body());
      if (draft.metadata.name !== name) throw badRequest('the name of the object does not match the name in the URL');
      return { code: 200, body: store.update(kind, namespace, draft, updateOptions(call, subresource)) };
    }
    case 'PATCH':
      return patch(store, call, target, live);
    default:
      throw new ApiError(405, 'MethodNotAllowed', `${call.method} is not supported`);
  }
}

const updateOptions = (
  call: Call,
  subresource: string | null,
): { writer: { manager: string; subresource?: string }; subresource?: 'status' } => ({
  writer: {
    manager: call.query.get('fieldManager') ?? call.userAgent,
    ...(subresource === null ? {} : { subresource }),
  },
  ...(subresource === 'status' ? { subresource } : {}),
});

async function patch(store: ObjectStore, call: Call, target: Target, live: ApiObject | null): Promise<Answer> {
  const { kind, namespace, name, subresource } = target;
  const body = await call.body();
  if (call.contentType === 'application/apply-patch+yaml') {
    const manager = call.query.get('fieldManager');
    if (manager === null) throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value');
    const writer = { manager, ...(subresource === null ? {} : { subresource }) };
    const { object, created } = store.apply(kind, namespace, draftOf(body), writer, call.query.get('force') === 'true');
    return { code: created ? 201 : 200, body: object };
  }
  if (live === null) throw notFound(kind.plural, kind.group, name ?? '');
  let next: unknown;
  if (call.contentType === 'application/merge-patch+json') next = mergePatch(live, body);
  else if (call.contentType === 'application/json-patch+json') next = jsonPatch(live, body);
  else
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format: ${call.contentType}`,
    );
  const draft = draftOf(next);
  if (draft.metadata.name !== name) throw badRequest('a patch cannot change the name');
  return { code: 200, body: store.update(kind, namespace, draft, updateOptions(call, subresource)) };
}

function draftOf(body: unknown): ObjectDraft {
  if (!isJson(body) || !isJson(body['metadata'])) throw badRequest('the body is not an object with metadata');
  const { apiVersion, kind, metadata } = body;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') throw badRequest('apiVersion and kind are required');
  if (typeof metadata['name'] !== 'string') throw badRequest('metadata.name is required');
  return { ...body, apiVersion, kind, metadata: { ...metadata, name: metadata['name'] } };
}

function listOf(store: ObjectStore, call: Call, { kind, namespace }: Target): object {
  const items = store.list(kind, namespace).filter(selected(call, namespace));
  return {
    kind: `${kind.kind}List`,
    apiVersion: apiVersionOf(kind),
    metadata: { resourceVersion: store.resourceVersion },
    items: BUILT_IN.includes(kind) ? items.map(untyped) : items,
  };
}

/** Items of a list of a built-in kind carry neither apiVersion nor kind; those of custom resources do. */
function untyped({ apiVersion: _apiVersion, kind: _kind, ...rest }: ApiObject): object {
  return rest;
}

function podLog(options: ResourceOptions, call: Call, namespace: string, name: string): Answer {
  const kind = options.store.resource('', 'v1', 'pods');
  if (options.store.get(kind, namespace, name) === null) throw notFound('pods', '', name);
  const text = options.podLog(namespace, name);
  if (text === null) throw badRequest(`container in pod "${name}" is waiting to start`);
  const tail = Number(call.query.get('tailLines') ?? Number.POSITIVE_INFINITY);
  const lines = text.replace(/\n$/, '').split('\n');
  return { code: 200, body: `${lines.slice(Math.max(0, lines.length - tail)).join('\n')}\n` };
}
