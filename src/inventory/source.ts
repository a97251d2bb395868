/**
 * The inventory as text: parsed once, and every later finding is traced back to its line and column.
 * @module
 */
import { readFileSync } from 'node:fs';
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  visit,
  type YAMLError,
} from 'yaml';
import { type FieldPath, InventoryError, pathText } from './problem.js';

/** Messages of the parser that repeat text from the file, which may be a secret, or that say too little. */
const SYNTAX: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'found an alias without its anchor; a value that begins with * stands in quotes',
  BAD_DQ_ESCAPE: 'found an unknown escape sequence; in double quotes a backslash is written \\\\',
  TAG_RESOLVE_FAILED: 'found an unknown tag; a value that begins with ! stands in quotes',
  UNEXPECTED_TOKEN: 'found text that YAML does not allow here; check quotes, brackets and indentation',
  MULTIPLE_DOCS: 'found a second document; a file is one inventory',
  TAB_AS_INDENT: 'found a tab; YAML is indented by spaces',
};

export class InventorySource {
  /** Plain JSON of the file. */
  readonly value: unknown;

  private constructor(
    /** As it was given; messages start with it. */
    readonly path: string,
    private readonly document: Document,
    private readonly lines: LineCounter,
  ) {
    this.value = document.toJS();
  }

  /** Throws InventoryError when the file cannot be read or is not YAML. */
  static read(path: string): InventorySource {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new InventoryError([`${path}:1:1 inventory: ${unreadable(error)}; expected a YAML file, see --inventory`]);
    }
    const lines = new LineCounter();
    // Pretty errors would quote the line, and a line may hold a secret.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
    const broken = [...document.errors, ...document.warnings, ...aliasesToNothing(document)];
    if (broken.length > 0) throw new InventoryError(broken.map((error) => syntaxProblem(path, text, lines, error)));
    try {
      return new InventorySource(path, document, lines);
    } catch (error) {
      // Aliases that multiply: the parser refuses to unfold them.
      if (error instanceof ReferenceError) {
        throw new InventoryError([`${path}:1:1 inventory: found aliases that unfold without end; write values out`]);
      }
      throw error;
    }
  }

  /** The whole line of a problem with the value at `path`, or with its key. */
  problem(path: FieldPath, text: string, at: 'value' | 'key' = 'value'): string {
    return `${this.path}:${this.position(path, at)} ${pathText(path)}: ${text}`;
  }

  has(path: FieldPath): boolean {
    return this.node(path) !== null;
  }

  /** What stands in the file when the value was written without quotes, else null. */
  unquoted(path: FieldPath): string | null {
    const node = this.node(path);
    return isScalar(node) && node.type === 'PLAIN' ? (node.source ?? null) : null;
  }

  /** Where there is no value it is the nearest key above. */
  private position(path: FieldPath, at: 'value' | 'key'): string {
    let offset = at === 'value' ? this.node(path)?.range?.[0] : undefined;
    for (let depth = path.length; offset === undefined && depth > 0; depth--) {
      const parent = this.node(path.slice(0, depth - 1));
      if (isMap(parent)) offset = keyOf(parent, path[depth - 1])?.range?.[0];
    }
    const { line, col } = this.lines.linePos(offset ?? this.document.contents?.range?.[0] ?? 0);
    return `${Math.max(line, 1)}:${Math.max(col, 1)}`;
  }

  private node(path: FieldPath): Node | null {
    let node: unknown = this.document.contents;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.document);
      if (isMap(node)) node = node.items.find((pair) => keyText(pair.key) === String(part))?.value;
      else if (isSeq(node)) node = node.items[Number(part)];
      else return null;
    }
    if (isAlias(node)) node = node.resolve(this.document);
    return isNode(node) ? node : null;
  }
}

function keyOf(map: { items: { key: unknown }[] }, name: string | number | undefined): Node | null {
  const key = map.items.find((pair) => keyText(pair.key) === String(name))?.key;
  return isNode(key) ? key : null;
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}

type YamlMistake = Pick<YAMLError, 'code' | 'message' | 'pos'>;

/** The parser leaves these to whoever reads the value. */
function aliasesToNothing(document: Document): readonly YamlMistake[] {
  const found: YamlMistake[] = [];
  visit(document, {
    Alias(_, node) {
      const [start = 0, end = 0] = node.range ?? [];
      if (node.resolve(document) === undefined) found.push({ code: 'BAD_ALIAS', message: '', pos: [start, end] });
    },
  });
  return found;
}

function syntaxProblem(path: string, text: string, lines: LineCounter, error: YamlMistake): string {
  const [start, end] = error.pos;
  const { line, col } = lines.linePos(start);
  const found =
    error.code === 'DUPLICATE_KEY'
      ? `found the key ${/^[^\s:]*/.exec(text.slice(start))?.[0] ?? text.slice(start, end)} twice in one map; expected it once`
      : (SYNTAX[error.code] ?? `not YAML: ${error.message}`);
  return `${path}:${line}:${col} inventory: ${found}`;
}

/** Why a file cannot be read, in words. */
export function unreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'it may not be read',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of its path is not a directory',
  };
  return words[code] ?? code;
}
