/**
 * Reads what update-grub generates: menu entries, and which one is the default. Only the shape of 10_linux is understood;
 * anything else gives null, and the caller refuses.
 * @module
 */

export interface MenuEntry {
  readonly title: string;
  /** `--id` or `$menuentry_id_option`; the title when it has none. */
  readonly id: string;
  /** Lines before `linux`: insmod, search, set root. */
  readonly preamble: readonly string[];
  /** As GRUB sees it: `/boot/vmlinuz-…`, or `/vmlinuz-…` where /boot is a file system of its own. */
  readonly linux: string;
  /** The kernel's arguments. */
  readonly args: readonly string[];
  readonly initrds: readonly string[];
  /** Ids of the submenus around it, outermost first. */
  readonly path: readonly string[];
}

/** A whole grub.cfg. */
export interface GrubConfig {
  /** Entries in menu order; those of submenus follow their submenu. */
  readonly entries: readonly MenuEntry[];
  /** Menu items of the top level: an entry, or null for a submenu. */
  readonly top: readonly (MenuEntry | null)[];
  /** The last plain `set default="…"` of 00_header. */
  readonly defaultValue: string | null;
}

/** Without alternatives that a long line could be tried against again and again: the text comes from a host. */
const BLOCK = /^\s*(menuentry|submenu)\s+(?:'([^']*)'|"([^"]*)")(.*)$/;
const ID = /(?:--id|\$menuentry_id_option)\s+(?:(['"])(.*?)\1|(\S+))/;

export function parseGrubConfig(text: string): GrubConfig {
  const entries: MenuEntry[] = [];
  const top: (MenuEntry | null)[] = [];
  const path: string[] = [];
  let body: string[] | null = null;
  let head: { title: string; id: string } | null = null;
  let defaultValue: string | null = null;
  let depth = 0;

  for (const line of text.split('\n')) {
    const block = line.trimEnd().endsWith('{') ? BLOCK.exec(line) : null;
    if (body === null && block !== null) {
      const title = block[2] ?? block[3] ?? '';
      const found = ID.exec(block[4] ?? '');
      const id = found?.[2] ?? found?.[3] ?? title;
      if (block[1] === 'submenu') {
        if (path.length === 0) top.push(null);
        path.push(id);
      } else {
        head = { title, id };
        body = [];
        depth = 0;
      }
      continue;
    }
    if (body !== null && head !== null) {
      if (/^\s*\}\s*$/.test(line) && depth === 0) {
        const entry = parseBody(head, body, path);
        if (entry !== null) entries.push(entry);
        if (path.length === 0) top.push(entry);
        body = null;
        head = null;
      } else {
        body.push(line.trim());
      }
      continue;
    }
    if (/^\s*\}\s*$/.test(line) && path.length > 0 && !line.startsWith(' ')) path.pop();
    const set = /^\s*set default=(?:"([^"]*)"|(\S+))\s*$/.exec(line);
    if (set !== null && path.length === 0) {
      const value = set[1] ?? set[2] ?? '';
      // 00_header also has `set default="${next_entry}"` in a branch; that is a one-shot, not the default.
      if (!value.includes('next_entry')) defaultValue = value;
    }
  }
  return { entries, top, defaultValue };
}

function parseBody(
  head: { title: string; id: string },
  body: readonly string[],
  path: readonly string[],
): MenuEntry | null {
  const at = body.findIndex((line) => /^linux(efi)?\s/.test(line));
  if (at < 0) return null;
  const [, linux, ...args] = (body[at] ?? '').split(/\s+/);
  if (linux === undefined) return null;
  const initrds = body
    .filter((line) => /^initrd(efi)?\s/.test(line))
    .flatMap((line) => line.split(/\s+/).slice(1))
    .filter((word) => word !== '');
  const preamble = body.slice(0, at).filter((line) => line !== '' && !line.startsWith('echo'));
  return {
    title: head.title,
    id: head.id,
    preamble,
    linux,
    args: args.filter((a) => a !== ''),
    initrds,
    path: [...path],
  };
}

/**
 * The entry GRUB boots when nothing is armed: by index, by id or title, by `a>b`, or by the environment's saved_entry.
 * null when it can't be told.
 */
export function defaultEntry(config: GrubConfig, environment: ReadonlyMap<string, string>): MenuEntry | null {
  let value = config.defaultValue;
  if (value === null) return null;
  if (value === '${saved_entry}') value = environment.get('saved_entry') ?? '0';
  if (value === '') value = '0';
  if (/^\d+$/.test(value)) return config.top[Number(value)] ?? null;
  const parts = value.split('>');
  const last = parts.at(-1) ?? '';
  const candidates = config.entries.filter((e) => e.id === last || e.title === last);
  if (parts.length === 1) return candidates.find((e) => e.path.length === 0) ?? null;
  return candidates.find((e) => e.path.length === parts.length - 1) ?? null;
}

/** Whether it reads custom.cfg, as 41_custom of Debian and Ubuntu does; without that nothing in there decides. */
export function readsCustomCfg(text: string): boolean {
  return /^[ \t]*source[ \t]+\S*\/custom\.cfg[ \t\r]*$/m.test(text);
}

/** Output of `grub-editenv FILE list`. */
export function parseGrubEnvironment(text: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) map.set(line.slice(0, at), line.slice(at + 1));
  }
  return map;
}

/** One of GRUB's words: what it says without quotes and escapes, and whether it holds more than variables. */
interface GrubWord {
  text: string;
  literal: boolean;
}

/** As GRUB's parser splits a line: single quotes keep all, double quotes all but `\$`, `\"` and `\\`; elsewhere a backslash keeps the next. */
function grubWords(line: string): readonly GrubWord[] {
  const words: GrubWord[] = [];
  let word: GrubWord | null = null;
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? '';
    const next = line[at + 1] ?? '';
    if (quote === '' && /\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    word ??= { text: '', literal: false };
    if (quote === char) quote = '';
    else if (quote === '' && (char === "'" || char === '"')) quote = char;
    else if (quote !== "'" && char === '$') {
      const [variable = '$'] = /^\$(?:\{[^}]*\}|\w+)?/.exec(line.slice(at)) ?? [];
      word.text += variable;
      at += variable.length - 1;
    } else {
      const escaped = char === '\\' && (quote === '' || (quote === '"' && '$"\\'.includes(next)));
      if (escaped) at += 1;
      word.text += escaped ? next : char;
      word.literal = true;
    }
  }
  return word === null ? words : [...words, word];
}

/**
 * What the kernel gets from an entry, in words as comparableArguments makes them of /proc/cmdline. A word that is only a variable, such
 * as $vt_handoff, is left out: it becomes nothing, or something that can't be told.
 */
export function kernelArguments(entry: MenuEntry): readonly string[] {
  const words = grubWords(entry.args.join(' ')).filter((word) => word.literal);
  return comparableArguments(words.map(({ text }) => (text.includes(' ') ? `"${text}"` : text)).join(' '));
}

/**
 * A kernel command line, split at blanks. GRUB's loader puts a word with blanks in double quotes, and some versions a backslash before
 * backslashes and quotes (grub-core/lib/cmdline.c): those are taken off.
 */
export function comparableArguments(commandLine: string): readonly string[] {
  return commandLine
    .replaceAll(/\\(['"\\])/g, '$1')
    .split(/\s+/)
    .filter((word) => word !== '');
}
