/**
 * The table of docs/inventory.md, made from the JSON schema.
 * @module
 */
import type { JsonSchema } from './json-schema.js';

interface Row {
  readonly path: string;
  readonly schema: JsonSchema;
  /** Empty when it may be left out. */
  readonly needed: string;
}

const BEGIN = '<!-- made by `npm run schema`: begin -->';
const END = '<!-- end -->';

/** `document` with a new table between its markers. Throws RangeError when they are not there. */
export function withReference(document: string, schema: JsonSchema): string {
  const [before, , after] = split(document);
  return `${before}${BEGIN}\n\n${table(schema)}\n\n${END}${after}`;
}

function split(document: string): readonly [string, string, string] {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new RangeError(`the reference needs its markers: ${BEGIN} and ${END}`);
  return [document.slice(0, begin), document.slice(begin, end), document.slice(end + END.length)];
}

function table(schema: JsonSchema): string {
  const lines = rowsBelow('', schema, new Map()).map(
    ({ path, schema: field, needed }) =>
      `| \`${path}\` | ${kind(field)} | ${needed || defaultOf(field)} | ${cell(field.description ?? '')} |`,
  );
  return ['| key | value | needed, or its default | meaning |', '| --- | --- | --- | --- |', ...new Set(lines)].join(
    '\n',
  );
}

/** @param printed blocks by their JSON: one that appears again, as ssh does, is explained in the first place only. */
function rowsBelow(path: string, schema: JsonSchema, printed: Map<string, string>, yes = 'yes'): readonly Row[] {
  const prefix = path === '' ? '' : `${path}.`;
  const named = typeof schema.additionalProperties === 'object' ? { NAME: schema.additionalProperties } : {};
  const own = Object.entries({ ...schema.properties, ...named }).flatMap(([key, child]) => {
    const row: Row = { path: prefix + key, schema: child, needed: schema.required?.includes(key) ? yes : '' };
    const text = JSON.stringify(child);
    const first = printed.get(text);
    if (first !== undefined) {
      return [{ ...row, schema: { ...child, description: `${child.description ?? ''} Keys as in \`${first}\`.` } }];
    }
    if (child.type === 'object') printed.set(text, row.path);
    return [row, ...rowsBelow(row.path, child, printed)];
  });
  const items = schema.items === undefined ? [] : rowsBelow(`${path}[]`, schema.items, printed);
  const branches = (schema.anyOf ?? []).flatMap((branch) => rowsBelow(path, branch, printed, 'yes, in this form'));
  return [...own, ...items, ...branches];
}

function kind(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === 'array') return `list of ${kind(schema.items ?? {})}`;
  if (schema.type === 'object') return 'map';
  if (schema.type === 'integer') return 'number';
  if (schema.type === 'string') return 'text';
  return schema.anyOf?.map(kind).filter(isNew).join(' or ') ?? '';
}

function isNew(word: string, i: number, words: readonly string[]): boolean {
  return words.indexOf(word) === i;
}

function defaultOf(schema: JsonSchema): string {
  return schema.default === undefined ? '' : `\`${schema.default}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
