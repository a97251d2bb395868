/**
 * What an object becomes by a write: which of its parts the writer may set, and when its generation counts.
 * @module
 */
import { apiVersionOf, type Kind } from './kinds.js';
import { ApiError, equal, invalid, type ApiObject, type Json, type ObjectDraft, type ObjectMeta } from './object.js';
import { isName, requireValidMetadata } from './validate.js';

/** The draft as it will be stored: only the status, or everything but the status. */
export function nextVersion(
  kind: Kind,
  before: ApiObject,
  draft: ObjectDraft,
  subresource: 'status' | undefined,
): ApiObject {
  if (subresource === 'status') {
    if (!kind.status) throw new ApiError(404, 'NotFound', `${kind.plural} has no status subresource`);
    return { ...before, status: draft['status'] };
  }
  requireIdentity(kind, draft);
  requireValidMetadata(kind, draft.metadata);
  const next: ApiObject = {
    ...draft,
    metadata: serverMetadata(before, draft),
    ...(kind.status ? { status: before['status'] } : {}),
  };
  if (next['status'] === undefined) Reflect.deleteProperty(next, 'status');
  if (equal(specOf(before), specOf(next))) return next;
  return { ...next, metadata: { ...next.metadata, generation: before.metadata.generation + 1 } };
}

export function requireIdentity(kind: Kind, draft: ObjectDraft): void {
  if (draft.apiVersion !== apiVersionOf(kind) || draft.kind !== kind.kind)
    throw invalid(`the object is a ${draft.apiVersion} ${draft.kind}, expected ${apiVersionOf(kind)} ${kind.kind}`);
  if (!isName(draft.metadata.name)) throw invalid(`metadata.name: Invalid value: "${draft.metadata.name}"`);
}

export function withoutStatus(kind: Kind, object: ApiObject): ApiObject {
  if (!kind.status || kind.kind === 'Namespace') return object;
  const { status: _ignored, ...rest } = object;
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
}

function specOf(object: ApiObject): Json {
  const { metadata: _metadata, status: _status, ...spec } = object;
  return spec;
}

/** Without what every write changes. */
export function bare(object: ApiObject): Json {
  const { resourceVersion: _version, managedFields: _owners, generation: _generation, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const ownership = (object: ApiObject): unknown =>
  (object.metadata.managedFields ?? []).map(({ manager, operation, fieldsV1 }) => ({ manager, operation, fieldsV1 }));

export function sameOwners(a: ApiObject, b: ApiObject): boolean {
  return equal(ownership(a), ownership(b));
}

/** What a client sends, with what only the server may set. */
function serverMetadata(before: ApiObject, draft: ObjectDraft): ObjectMeta {
  const { uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, namespace } = before.metadata;
  const { deletionTimestamp: _ignored, ...metadata } = draft.metadata;
  return {
    ...metadata,
    ...(namespace === undefined ? {} : { namespace }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
  };
}
