/**
 * Where a stored object is not as wanted. Only what is wanted counts: servers and controllers add fields of their own.
 * @module
 */

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Servers drop empty fields, or keep them: both say the same. */
const isNothing = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0);

/** Dotted paths of the wanted fields that are missing or different; lists must be equal as a whole. */
export function differences(wanted: unknown, found: unknown, path = ''): readonly string[] {
  if (isNothing(wanted) && isNothing(found)) return [];
  if (isMap(wanted) && isMap(found)) {
    return Object.entries(wanted).flatMap(([key, value]) =>
      differences(value, found[key], path === '' ? key : `${path}.${key}`),
    );
  }
  if (Array.isArray(wanted) && Array.isArray(found) && wanted.length === found.length) {
    return wanted.every((item, index) => differences(item, found[index]).length === 0) ? [] : [path];
  }
  return wanted === found ? [] : [path];
}
