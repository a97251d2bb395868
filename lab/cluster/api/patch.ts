/**
 * The patch types that the API takes, but for server-side apply (apply.ts).
 * @module
 */
import { badRequest, equal, invalid, isJson, type Json } from './object.js';

/** RFC 7396: null removes, lists are replaced. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch;
  const result: Record<string, unknown> = isJson(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** RFC 6902: add, replace, remove and test. */
export function jsonPatch(target: Json, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch is a list of operations');
  const result: unknown = structuredClone(target);
  for (const operation of operations) {
    if (!isJson(operation) || typeof operation['path'] !== 'string')
      throw badRequest('a JSON patch operation needs a path');
    const steps = operation['path']
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop();
    if (last === undefined) throw badRequest('the whole object cannot be replaced by a JSON patch');
    let parent: unknown = result;
    for (const step of steps)
      parent = Array.isArray(parent) ? parent[Number(step)] : isJson(parent) ? parent[step] : undefined;
    patchOne(parent, last, String(operation['op']), operation['value'], operation['path']);
  }
  return result;
}

function patchOne(parent: unknown, key: string, op: string, value: unknown, path: string): void {
  const missing = (): Error => invalid(`the JSON patch path ${path} does not exist`);
  if (Array.isArray(parent)) {
    const index = key === '-' ? parent.length : Number(key);
    if (op === 'add') parent.splice(index, 0, value);
    else if (!(index in parent)) throw missing();
    else if (op === 'replace') parent[index] = value;
    else if (op === 'remove') parent.splice(index, 1);
    else if (op === 'test') requireEqual(parent[index], value, path);
    else throw badRequest(`unknown JSON patch operation ${op}`);
    return;
  }
  if (typeof parent !== 'object' || parent === null) throw missing();
  if (op === 'add') Reflect.set(parent, key, value);
  else if (!(key in parent)) throw missing();
  else if (op === 'replace') Reflect.set(parent, key, value);
  else if (op === 'remove') Reflect.deleteProperty(parent, key);
  else if (op === 'test') requireEqual(Reflect.get(parent, key), value, path);
  else throw badRequest(`unknown JSON patch operation ${op}`);
}

function requireEqual(have: unknown, want: unknown, path: string): void {
  if (!equal(have, want)) throw invalid(`the JSON patch test of ${path} failed`);
}
