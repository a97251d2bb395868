/**
 * What the schema finds, as lines for people: what was found, how it was written, what would be right.
 * @module
 */
import type * as z from 'zod';
import { didYouMean } from './did-you-mean.js';
import { EXPECTED_SECRET } from './fields.js';
import { notBuiltKey, notBuiltValue } from './not-built.js';
import { PCI_ADDRESS } from './pci-address.js';
import { type FieldPath, pathText, shown } from './problem.js';
import { BRANCHES, inventorySchema } from './schema.js';
import type { InventorySource } from './source.js';

type Issue = z.core.$ZodIssue;

interface Located {
  readonly issue: Issue;
  readonly path: FieldPath;
}

/** Every shape problem of the file; none when it can be resolved. */
export function shapeProblems(source: InventorySource): readonly string[] {
  const found = locatedIssues(source.value);
  return [...unquotedAddresses(source), ...found.flatMap((located) => problemsOf(source, located))];
}

function locatedIssues(value: unknown): readonly Located[] {
  return (inventorySchema.safeParse(value).error?.issues ?? []).flatMap((issue) => locate(value, issue, []));
}

/** Issues of a union are those of the branch that was meant. */
function locate(value: unknown, issue: Issue, above: FieldPath): readonly Located[] {
  const path = [...above, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  const branch = issue.code === 'invalid_union' ? branchOf(path, at(value, path), issue.errors) : null;
  return branch === null ? [{ issue, path }] : branch.flatMap((inner) => locate(value, inner, path));
}

function problemsOf(source: InventorySource, { issue, path }: Located): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => source.problem([...path, key], unknownKey([...path, key], issue.message), 'key'));
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? issue.message;
    return [source.problem(path, `found ${shown(path.at(-1))}; expected ${expected}`, 'key')];
  }
  return [source.problem(path, wrongValue(source, issue, path))];
}

function unknownKey(path: FieldPath, knownKeys: string): string {
  const notBuilt = notBuiltKey(pathText(path));
  if (notBuilt !== null) return notBuilt;
  return `found an unknown key; expected one of ${knownKeys}${didYouMean(String(path.at(-1)), knownKeys.split(', '))}`;
}

function wrongValue(source: InventorySource, issue: Issue, path: FieldPath): string {
  const value = at(source.value, path);
  const isMap = issue.code === 'invalid_type' && issue.expected === 'object';
  const expected = isMap ? `a map with ${issue.message}` : issue.message;
  if (value === undefined) return `missing; expected ${expected}`;
  if (expected === EXPECTED_SECRET) return `found a text that is not shown here; expected ${expected}`;
  const raw = source.unquoted(path);
  const wantsText = issue.code === 'invalid_type' && issue.expected === 'string';
  if (wantsText && raw !== null && value !== null) {
    return isRightAsText(source, path, raw) ? putInQuotes(raw) : `found ${raw}; expected ${expected}`;
  }
  return notBuiltValue(pathText(path), value) ?? `found ${shown(value)}; expected ${expected}`;
}

/** Whether quotes are all that a value lacks. */
function isRightAsText(source: InventorySource, path: FieldPath, raw: string): boolean {
  const copy = structuredClone(source.value);
  const parent = at(copy, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && last !== undefined) Reflect.set(parent, last, raw);
  return !locatedIssues(copy).some((located) => pathText(located.path) === pathText(path));
}

function putInQuotes(raw: string): string {
  return `found ${raw} without quotes; expected "${raw}": without them some YAML readers take it for a number`;
}

/**
 * PCI addresses without quotes. `18:00.0` is 1080 in YAML 1.1 and a text in 1.2, so that one tool's file means something else to
 * another; whether quotes stand there only the source can tell.
 */
function unquotedAddresses(source: InventorySource): readonly string[] {
  const servers = at(source.value, ['servers']);
  if (typeof servers !== 'object' || servers === null) return [];
  return Object.keys(servers).flatMap((name) => {
    const addresses = at(servers, [name, 'gpus', 'addresses']);
    if (!Array.isArray(addresses)) return [];
    return addresses.flatMap((value, i) => {
      const path = ['servers', name, 'gpus', 'addresses', i];
      const raw = source.unquoted(path);
      // A wrong address is reported as such first; one that is a number by now is reported by its type.
      const isMeant = typeof value === 'string' && raw !== null && PCI_ADDRESS.test(raw);
      return isMeant ? [source.problem(path, putInQuotes(raw))] : [];
    });
  });
}

/** The branch that was meant, by its own key. */
function branchOf(path: FieldPath, value: unknown, errors: readonly (readonly Issue[])[]): readonly Issue[] | null {
  if (typeof value !== 'object' || value === null) return null;
  const branches = BRANCHES[String(path.findLast((part) => typeof part === 'string'))] ?? [];
  const [meant, another] = branches.filter((key) => key !== null && key in value);
  if (meant === undefined || another !== undefined) return null;
  return errors[branches.indexOf(meant)] ?? null;
}

function at(value: unknown, path: FieldPath): unknown {
  let found: unknown = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined;
    found = Reflect.get(found, part);
  }
  return found;
}
