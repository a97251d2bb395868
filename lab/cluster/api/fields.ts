/**
 * Who owns which field: `metadata.managedFields`, kept for every write, and server-side apply on top of it. Lists are owned as a whole,
 * as the API does where a schema doesn't say otherwise.
 * @module
 */
import { conflict, equal, isJson, type ApiObject, type Json, type ManagedFields } from './object.js';

/** Field names joined by NUL, which no field name contains. */
type Path = string;
const SEPARATOR = '\0';

/** Metadata that the server writes; nobody owns it. */
const SERVER_METADATA = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
]);

/** The leaves of an object that can be owned. */
export function leaves(object: Json): ReadonlyMap<Path, unknown> {
  const found = new Map<Path, unknown>();
  const walk = (value: unknown, path: readonly string[]): void => {
    if (isJson(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) {
        if (path.length === 0 && (key === 'apiVersion' || key === 'kind')) continue;
        if (path.length === 1 && path[0] === 'metadata' && SERVER_METADATA.has(key)) continue;
        walk(inner, [...path, key]);
      }
    } else if (path.length > 0 && !(path.length === 1 && path[0] === 'metadata')) {
      found.set(path.join(SEPARATOR), value);
    }
  };
  walk(object, []);
  return found;
}

interface Owner {
  readonly entry: Omit<ManagedFields, 'fieldsV1'>;
  readonly paths: Set<Path>;
}

export interface Writer {
  readonly manager: string;
  readonly subresource?: string;
}

/** The object with ownership brought up to date after an update: who changed a field owns it, alone. */
export function ownedAfterUpdate(before: ApiObject | null, after: ApiObject, writer: Writer, now: string): ApiObject {
  const old = before === null ? new Map<Path, unknown>() : leaves(before);
  const fresh = leaves(after);
  const owners = before === null ? [] : ownersOf(before);
  const changed = [...fresh].filter(([path, value]) => !old.has(path) || !equal(old.get(path), value));
  if (changed.length === 0 && old.size === fresh.size) return withOwners(after, owners);
  for (const owner of owners) {
    for (const [path] of changed) owner.paths.delete(path);
    for (const path of owner.paths) if (!fresh.has(path)) owner.paths.delete(path);
  }
  if (changed.length > 0) {
    const mine = ownerFor(owners, after.apiVersion, writer, 'Update', now);
    for (const [path] of changed) mine.paths.add(path);
  }
  return withOwners(after, owners);
}

/**
 * Server-side apply: the applied fields win, fields that this manager applied before and no longer names go, the rest stays.
 * Throws 409 when another manager owns a field with another value, unless forced.
 */
export function applied(live: ApiObject, patch: Json, writer: Writer, force: boolean, now: string): ApiObject {
  const owners = ownersOf(live);
  const mine = ownerFor(owners, live.apiVersion, writer, 'Apply', now);
  const others = owners.filter((owner) => owner !== mine);
  const wanted = leaves(patch);
  const current = leaves(live);
  const quarrels = new Map<string, string[]>();
  for (const [path, value] of wanted) {
    if (!current.has(path) || equal(current.get(path), value)) continue;
    for (const other of others) {
      if (!other.paths.has(path)) continue;
      if (force) other.paths.delete(path);
      else quarrels.set(other.entry.manager, [...(quarrels.get(other.entry.manager) ?? []), dotted(path)]);
    }
  }
  if (quarrels.size > 0) {
    const list = [...quarrels].map(([manager, paths]) => `conflicts with "${manager}": ${paths.join(', ')}`);
    throw conflict(`Apply failed with ${[...quarrels.values()].flat().length} conflicts: ${list.join('; ')}`);
  }
  const result = structuredClone(live);
  for (const path of mine.paths) {
    if (!wanted.has(path) && !others.some((other) => other.paths.has(path))) removePath(result, path.split(SEPARATOR));
  }
  for (const [path, value] of wanted) setPath(result, path.split(SEPARATOR), value);
  mine.paths.clear();
  for (const path of wanted.keys()) mine.paths.add(path);
  return withOwners(result, owners);
}

const dotted = (path: Path): string => `.${path.split(SEPARATOR).join('.')}`;

function ownersOf(object: ApiObject): Owner[] {
  return (object.metadata.managedFields ?? []).map(({ fieldsV1, ...entry }) => ({
    entry,
    paths: new Set(pathsOf(fieldsV1)),
  }));
}

function ownerFor(
  owners: Owner[],
  apiVersion: string,
  writer: Writer,
  operation: ManagedFields['operation'],
  now: string,
): Owner {
  const found = owners.find(
    ({ entry }) =>
      entry.manager === writer.manager && entry.operation === operation && entry.subresource === writer.subresource,
  );
  if (found !== undefined) return found;
  const owner: Owner = {
    entry: {
      manager: writer.manager,
      operation,
      apiVersion,
      time: now,
      fieldsType: 'FieldsV1',
      ...(writer.subresource === undefined ? {} : { subresource: writer.subresource }),
    },
    paths: new Set(),
  };
  owners.push(owner);
  return owner;
}

function withOwners(object: ApiObject, owners: readonly Owner[]): ApiObject {
  const managedFields = owners
    .filter((owner) => owner.paths.size > 0)
    .map((owner) => ({ ...owner.entry, fieldsV1: fieldsOf(owner.paths) }));
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function fieldsOf(paths: ReadonlySet<Path>): Json {
  const root: Record<string, unknown> = {};
  for (const path of [...paths].toSorted()) {
    let here: object = root;
    for (const step of path.split(SEPARATOR)) {
      const key = `f:${step}`;
      const next: unknown = Reflect.get(here, key);
      if (typeof next === 'object' && next !== null) here = next;
      else {
        const made = {};
        Reflect.set(here, key, made);
        here = made;
      }
    }
  }
  return root;
}

function pathsOf(fields: Json, prefix: readonly string[] = []): Path[] {
  return Object.entries(fields).flatMap(([key, inner]) => {
    const path = [...prefix, key.slice('f:'.length)];
    return isJson(inner) && Object.keys(inner).length > 0 ? pathsOf(inner, path) : [path.join(SEPARATOR)];
  });
}

function setPath(object: object, path: readonly string[], value: unknown): void {
  let here = object;
  for (const step of path.slice(0, -1)) {
    const next: unknown = Reflect.get(here, step);
    if (isJson(next)) here = next;
    else {
      const made = {};
      Reflect.set(here, step, made);
      here = made;
    }
  }
  Reflect.set(here, path.at(-1) ?? '', structuredClone(value));
}

function removePath(object: object, path: readonly string[]): void {
  let here: object = object;
  for (const step of path.slice(0, -1)) {
    const next: unknown = Reflect.get(here, step);
    if (!isJson(next)) return;
    here = next;
  }
  Reflect.deleteProperty(here, path.at(-1) ?? '');
}
