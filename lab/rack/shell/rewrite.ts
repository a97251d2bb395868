/**
 * just-bash takes the first word of a command as one word and looks it up by itself. POSIX splits `"$@"` there, `exec` ends the shell,
 * and a path may name a program that isn't a shell script. Such commands are handed to `execve`, which is ours.
 * @module
 */
import { parse, serialize, type SimpleCommandNode, type StatementNode } from 'just-bash';

const BUILTINS: ReadonlySet<string> = new Set(
  (
    '. : [ alias bg break builtin cd command continue declare echo eval exit export false getopts hash jobs let local ' +
    'mapfile popd printf pushd pwd read readarray readonly return set shift shopt source test times true type typeset ' +
    'unalias unset wait'
  ).split(' '),
);

/** Production sends the same frozen scripts over and over. */
const rewritten = new Map<string, string>();
const MAX_KEPT = 500;

/** Throws just-bash's ParseException for a script with a syntax error. `isProgram` must be the same on every call. */
export function rewriteScript(text: string, isProgram: (name: string) => boolean): string {
  const known = rewritten.get(text);
  if (known !== undefined) return known;
  const script = rewrite(text, isProgram);
  if (rewritten.size >= MAX_KEPT) rewritten.clear();
  rewritten.set(text, script);
  return script;
}

function rewrite(text: string, isProgram: (name: string) => boolean): string {
  const script = parse(text);
  const functions = new Set<string>();
  const commands: SimpleCommandNode[] = [];
  visit(script, (node) => {
    if (node['type'] === 'FunctionDef' && typeof node['name'] === 'string') functions.add(node['name']);
    if (node['type'] === 'SimpleCommand') commands.push(node as unknown as SimpleCommandNode);
  });
  let changed = false;
  for (const command of commands) {
    const name = literalName(command);
    if (command.name === null) continue;
    if (name === 'exec' && command.args.length > 0) {
      replaceExec(command);
      changed = true;
    } else if (name === null || (!BUILTINS.has(name) && name !== 'exec' && !functions.has(name) && !isProgram(name))) {
      viaExecve(command);
      changed = true;
    }
  }
  return changed ? serialize(script) : text;
}

function literalName(command: SimpleCommandNode): string | null {
  const parts = command.name?.parts ?? [];
  const [only] = parts;
  if (parts.length !== 1) return null;
  // The parser takes the name `[` for a pattern.
  if (only?.type === 'Glob') return only.pattern === '[' ? '[' : null;
  return only?.type === 'Literal' ? only.value : null;
}

function viaExecve(command: SimpleCommandNode): void {
  if (command.name !== null) command.args.unshift(command.name);
  command.name = { type: 'Word', parts: [{ type: 'Literal', value: 'execve' }] };
}

/** `exec CMD` becomes `{ execve CMD; exit $?; }`. */
function replaceExec(command: SimpleCommandNode): void {
  const run = parse('execve').statements[0];
  const inner = run?.pipelines[0]?.commands[0];
  if (inner?.type !== 'SimpleCommand' || run === undefined) throw new Error('the parser no longer parses one word');
  inner.args = command.args;
  inner.assignments = command.assignments;
  inner.redirections = command.redirections;
  const body: StatementNode[] = [run, ...parse('exit $?').statements];
  const node = command as unknown as Record<string, unknown>;
  for (const key of Object.keys(node)) delete node[key];
  Object.assign(node, { type: 'Group', body, redirections: [] });
}

type Visited = Readonly<Record<string, unknown>>;

function visit(node: unknown, see: (node: Visited) => void): void {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node) && 'type' in node) see(node);
  for (const value of Object.values(node)) visit(value, see);
}

export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
export const quoteAll = (words: readonly string[]): string => words.map(quote).join(' ');

/** A syntax error's text, or null. */
export function syntaxError(text: string): string | null {
  try {
    parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
