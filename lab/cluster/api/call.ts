/**
 * One request to the API: what it asks, which resource it is about, and what an answer or a refusal looks like.
 * @module
 */
import type { Kind } from './kinds.js';
import type { ApiError } from './object.js';
import { fieldSelector, labelSelector, type Predicate } from './selectors.js';
import type { ObjectStore } from './store.js';

export interface Call {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: () => Promise<unknown>;
}

/** Text is sent as it is, everything else as JSON. */
export type Answer = { readonly code: number; readonly body: unknown };

export interface Target {
  readonly kind: Kind;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: string | null;
}

export function route(store: ObjectStore, root: string, rest: readonly string[]): Target {
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

/** The selectors of a list or a watch. */
export function selected(call: Call, namespace: string | null): Predicate {
  const labels = labelSelector(call.query.get('labelSelector') ?? '');
  const fields = fieldSelector(call.query.get('fieldSelector') ?? '');
  return (object) =>
    (namespace === null || object.metadata.namespace === namespace) && labels(object) && fields(object);
}

export const statusOf = (error: ApiError): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: error.message,
  reason: error.reason,
  code: error.code,
});
