/**
 * The HTTPS side of a cluster: routes, authentication, discovery, content types and watches.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text as readText } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { apiVersionOf, BUILT_IN, type Kind } from './kinds.js';
import { ApiError, badRequest, isJson, notFound, type ApiObject, type ObjectDraft } from './object.js';
import { jsonPatch, mergePatch } from './patch.js';
import type { Pki } from './pki.js';
import { fieldSelector, labelSelector, type Predicate } from './selectors.js';
import type { ObjectStore } from './store.js';
import { parse as parseYaml } from 'yaml';

export interface ServerOptions {
  readonly store: ObjectStore;
  readonly pki: Pki;
  readonly version: string;
  /** Log of a pod's container, or null when there is none yet. */
  readonly podLog: (namespace: string, name: string) => string | null;
}

export interface ApiServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers on 127.0.0.1, on a port of the system's choice. */
export async function startApiServer(options: ServerOptions): Promise<ApiServer> {
  const { pki } = options;
  const server = createServer(
    { cert: pki.serverCert, key: pki.serverKey, ca: pki.ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => void respond(options, request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no TCP port');
  return {
    port: address.port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Call {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: () => Promise<unknown>;
}

/** Text is sent as it is, everything else as JSON. */
type Answer = { readonly code: number; readonly body: unknown };

async function respond(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const socket = request.socket;
    if (!(socket instanceof TLSSocket) || !socket.authorized) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
    const url = new URL(request.url ?? '/', 'https://api');
    const call: Call = {
      method: request.method ?? 'GET',
      path: url.pathname
        .split('/')
        .filter((part) => part !== '')
        .map(decodeURIComponent),
      query: url.searchParams,
      contentType: (request.headers['content-type'] ?? '').split(';')[0] ?? '',
      userAgent: (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown',
      body: () => readBody(request),
    };
    if (call.method === 'GET' && call.query.get('watch') === 'true') return watch(options.store, call, response);
    send(response, await answer(options, call));
  } catch (error) {
    const known = error instanceof ApiError ? error : new ApiError(500, 'InternalError', String(error));
    send(response, { code: known.code, body: statusOf(known) });
  }
}

const statusOf = (error: ApiError): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: error.message,
  reason: error.reason,
  code: error.code,
});

function send(response: ServerResponse, { code, body }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(code, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const body = await readText(request);
  try {
    // YAML reads JSON too, and server-side apply sends either.
    return parseYaml(body);
  } catch (error) {
    throw badRequest(`the body cannot be parsed: ${String(error)}`);
  }
}

async function answer(options: ServerOptions, call: Call): Promise<Answer> {
  const [root, ...rest] = call.path;
  if (root === 'readyz' || root === 'livez' || root === 'healthz') return { code: 200, body: 'ok' };
  if (root === 'version') return { code: 200, body: { gitVersion: options.version, platform: 'linux/amd64' } };
  if (root === 'api' || root === 'apis') {
    const found = discovery(options.store, root, rest);
    if (found !== null) return { code: 200, body: found };
    return onResource(options, call, route(options.store, root, rest));
  }
  throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
}

interface Target {
  readonly kind: Kind;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: string | null;
}

function route(store: ObjectStore, root: string, rest: readonly string[]): Target {
  const [group, version, ...path] = root === 'api' ? ['', ...rest] : rest;
  const scoped = path[0] === 'namespaces' && path.length >= 3 && path[2] !== 'status' && path[2] !== 'finalize';
  const [plural = '', name, subresource] = scoped ? path.slice(2) : path;
  const kind = store.resource(group ?? '', version ?? '', plural);
  return {
    kind,
    namespace: scoped ? (path[1] ?? null) : null,
    name: name ?? null,
    subresource: subresource ?? null,
  };
}

function discovery(store: ObjectStore, root: 'api' | 'apis', rest: readonly string[]): unknown {
  const kinds = store.kinds();
  if (root === 'api' && rest.length === 0) return { kind: 'APIVersions', versions: ['v1'] };
  const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== '');
  const describe = (group: string): object => {
    const versions = [...new Set(kinds.filter((kind) => kind.group === group).map((kind) => kind.version))].map(
      (version) => ({ groupVersion: `${group}/${version}`, version }),
    );
    return { name: group, versions, preferredVersion: versions[0] };
  };
  if (root === 'apis' && rest.length === 0)
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(describe) };
  const [group = '', version] = root === 'api' ? ['', ...rest] : rest;
  if (root === 'apis' && rest.length === 1 && groups.includes(group))
    return { kind: 'APIGroup', apiVersion: 'v1', ...describe(group) };
  if (rest.length !== (root === 'api' ? 1 : 2)) return null;
  const here = kinds.filter((kind) => kind.group === group && kind.version === version);
  if (here.length === 0) return null;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version: version ?? '' }),
    resources: here.map((kind) => ({
      name: kind.plural,
      singularName: kind.kind.toLowerCase(),
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    })),
  };
}

async function onResource(options: ServerOptions, call: Call, target: Target): Promise<Answer> {
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

function selected(call: Call, namespace: string | null): Predicate {
  const labels = labelSelector(call.query.get('labelSelector') ?? '');
  const fields = fieldSelector(call.query.get('fieldSelector') ?? '');
  return (object) =>
    (namespace === null || object.metadata.namespace === namespace) && labels(object) && fields(object);
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

function podLog(options: ServerOptions, call: Call, namespace: string, name: string): Answer {
  const kind = options.store.resource('', 'v1', 'pods');
  if (options.store.get(kind, namespace, name) === null) throw notFound('pods', '', name);
  const text = options.podLog(namespace, name);
  if (text === null) throw badRequest(`container in pod "${name}" is waiting to start`);
  const tail = Number(call.query.get('tailLines') ?? Number.POSITIVE_INFINITY);
  const lines = text.replace(/\n$/, '').split('\n');
  return { code: 200, body: `${lines.slice(Math.max(0, lines.length - tail)).join('\n')}\n` };
}

/** One JSON event a line, until the client goes away. */
function watch(store: ObjectStore, call: Call, response: ServerResponse): void {
  const [root = '', ...rest] = call.path;
  const { kind, namespace } = route(store, root, rest);
  const wanted = selected(call, namespace);
  response.writeHead(200, { 'content-type': 'application/json' });
  const emit = (type: string, object: unknown): void => void response.write(`${JSON.stringify({ type, object })}\n`);
  const from = call.query.get('resourceVersion') ?? '0';
  const past = from === '0' || from === '' ? [] : store.since(from);
  if (past === null) {
    emit('ERROR', statusOf(new ApiError(410, 'Expired', `too old resource version: ${from}`)));
    response.end();
    return;
  }
  if (from === '0' || from === '')
    for (const object of store.list(kind, namespace).filter(wanted)) emit('ADDED', object);
  const isMine = (event: { kind: Kind; object: ApiObject }): boolean =>
    event.kind.group === kind.group && event.kind.plural === kind.plural && wanted(event.object);
  for (const event of past) if (isMine(event)) emit(event.type, event.object);
  const stop = store.onEvent((event) => {
    if (isMine(event)) emit(event.type, event.object);
  });
  response.on('close', stop);
}
