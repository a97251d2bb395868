/**
 * Kubernetes objects as plain JSON, and safe ways to look into them. Objects come from a cluster: nothing about their shape is taken for granted.
 * @module
 */

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** `Kind namespace/name`, as messages name an object. */
export function nameOf(object: {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}): string {
  const { name, namespace } = object.metadata;
  return `${object.kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Parsed; null for what is no JSON. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** More brackets in a text, or more list marks on one of its lines, than a kubeconfig or a configuration of k3s has. */
const NESTING = { brackets: 500, marksOfLine: 50 } as const;

/**
 * Whether a YAML text may nest so deep that its parser, which calls itself, runs out of stack. That is no mere exception: V8 ends the process
 * where it has to compile a pattern just then.
 */
export function nestsDeep(yaml: string): boolean {
  if (yaml.split(/[[{]/).length > NESTING.brackets) return true;
  return yaml.split('\n').some((line) => line.split(/[-?]\s/).length > NESTING.marksOfLine);
}

/** The value at a path of field names and list positions, or undefined where the path leaves what the object itself holds. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = Reflect.get(here, step);
  }
  return here;
}

/** The string at a path, or null. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string | null {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : null;
}

/** The list at a path; empty when there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The whole number at a path that is not negative, also when written as a string like Kubernetes quantities; or null. */
export function countAt(value: unknown, ...path: readonly (string | number)[]): number | null {
  const found = at(value, ...path);
  const number = typeof found === 'string' && /^\d+$/.test(found) ? Number(found) : found;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A condition of `status.conditions`, or null when the controller has not written it yet. */
export function conditionOf(object: KubeObject, type: string): Condition | null {
  for (const item of listAt(object, 'status', 'conditions')) {
    if (textAt(item, 'type') !== type) continue;
    return {
      type,
      status: textAt(item, 'status') ?? 'Unknown',
      reason: textAt(item, 'reason') ?? '',
      message: textAt(item, 'message') ?? '',
    };
  }
  return null;
}

export function hasCondition(object: KubeObject, type: string): boolean {
  return conditionOf(object, type)?.status === 'True';
}

export interface FieldConflict {
  readonly field: string;
  /** Name of the tool that has set it. */
  readonly manager: string;
}

/**
 * Of the API's refusal of a server-side apply: `conflict with "kubectl-edit" using v1: .data.k`, or with several fields, one line each
 * after `conflicts with "kubectl-edit" using v1:`. Empty for any other text.
 */
export function fieldConflicts(message: string): readonly FieldConflict[] {
  const found: FieldConflict[] = [];
  let manager = '';
  for (const line of message.split('\n')) {
    const who = /conflicts? with "([^"]+)"(?: with subresource "[^"]+")?(?: using [^\s:]+)?:(.*)/.exec(line);
    if (who !== null) manager = who[1] ?? '';
    const fields = who === null ? line : (who[2] ?? '');
    const field = /^\s*(?:- )?(\.\S+)/.exec(fields)?.[1];
    if (manager !== '' && field !== undefined) found.push({ field, manager });
  }
  return found;
}
