/**
 * GRUB 2.12: runs grub.cfg on what it can see of the disk, takes the default entry, loads kernel and initrd. When that fails it tries
 * the entries of `fallback`, and without one it parks at its menu. 2.06 differs in that its `fallback` takes numbers only.
 * @module
 */
import { GRUB_COMMANDS, type GrubState } from './grub-commands.js';
import { parseEnvironment, renderEnvironment } from './grub-environment.js';
import { GrubSyntaxError, parseGrubScript, type GrubNode, type Word } from './grub-script.js';

/** What GRUB can do to the outside. */
export interface GrubPlatform {
  /** null when GRUB doesn't see such a file. */
  readFile(path: string): Uint8Array | null;
  /** False when the write failed. */
  writeFile(path: string, content: Uint8Array): boolean;
  /** Whether a file system with this UUID exists. */
  hasFileSystem(uuid: string): boolean;
  print(line: string): void;
}

export type GrubOutcome =
  | {
      readonly kind: 'boot';
      readonly entry: string;
      readonly title: string;
      readonly kernel: string;
      readonly args: string;
      readonly initrds: readonly string[];
    }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'halt' }
  /** `failed`: an entry was taken and could not be loaded. */
  | { readonly kind: 'menu'; readonly reason: string; readonly failed?: boolean };

const PREFIX = '/boot/grub';

interface MenuItem {
  readonly id: string;
  readonly title: string;
  readonly keyword: 'menuentry' | 'submenu';
  readonly body: readonly GrubNode[];
}

class Stop extends Error {
  constructor(readonly outcome: 'reboot' | 'halt') {
    super(outcome);
  }
}

export function runGrub(platform: GrubPlatform): GrubOutcome {
  return new Grub(platform).run();
}

class Grub {
  private readonly variables = new Map<string, string>([
    ['root', 'hd0,gpt2'],
    ['prefix', `(hd0,gpt2)${PREFIX}`],
    ['config_directory', PREFIX],
    ['grub_platform', 'efi'],
    ['feature_menuentry_id', 'y'],
    ['feature_menuentry_options', 'y'],
    ['feature_platform_search_hint', 'y'],
    ['feature_default_font_path', 'y'],
    ['feature_timeout_style', 'y'],
    ['feature_all_video_module', 'y'],
  ]);
  private readonly functions = new Map<string, readonly GrubNode[]>();
  private menu: MenuItem[] = [];
  private kernel: { readonly path: string; readonly args: string } | null = null;
  private initrds: readonly string[] = [];
  private error: string | null = null;
  private status = true;

  constructor(private readonly platform: GrubPlatform) {}

  run(): GrubOutcome {
    try {
      if (!this.source(`${PREFIX}/grub.cfg`)) return { kind: 'menu', reason: this.error ?? 'no grub.cfg' };
      const first = this.bootDefault(this.variables.get('default') ?? '0');
      return first.kind === 'menu' && first.failed === true ? this.bootFallback(first) : first;
    } catch (stop) {
      if (stop instanceof Stop) return { kind: stop.outcome };
      throw stop;
    }
  }

  private bootDefault(wanted: string): GrubOutcome {
    if (this.variables.get('timeout') === '-1') return { kind: 'menu', reason: 'timeout=-1: waits for a key' };
    const [first = '0', ...rest] = wanted.split('>');
    const item = this.pick(first);
    return item === undefined ? { kind: 'menu', reason: 'the menu is empty' } : this.bootItem(item, rest);
  }

  /** An entry, or of a submenu the entry that `path` names, by default its first. */
  private bootItem(item: MenuItem, path: readonly string[]): GrubOutcome {
    if (item.keyword === 'submenu') {
      this.menu = [];
      this.execute(item.body);
      return this.bootDefault(path.join('>') || '0');
    }
    this.platform.print(`Booting \`${item.title}'`);
    this.variables.set('chosen', item.id);
    this.kernel = null;
    this.error = null;
    this.execute(item.body);
    const loaded = this.kernel as { readonly path: string; readonly args: string } | null;
    // Errors are printed and forgotten, command by command: an entry boots once its kernel is loaded, with no initrd if need be.
    if (loaded !== null) {
      return {
        kind: 'boot',
        entry: item.id,
        title: item.title,
        kernel: loaded.path,
        args: loaded.args,
        initrds: this.initrds,
      };
    }
    return { kind: 'menu', reason: this.error ?? 'you need to load the kernel first.', failed: true };
  }

  /** The first of `fallback` that boots; what it does not know ends the list. */
  private bootFallback(failure: GrubOutcome): GrubOutcome {
    const menu = this.menu;
    let outcome = failure;
    for (const wanted of (this.variables.get('fallback') ?? '').split(/\s+/).filter((word) => word !== '')) {
      this.menu = menu;
      const item = this.find(wanted);
      if (item === undefined) break;
      this.platform.print(`Falling back to \`${item.title}'`);
      outcome = this.bootItem(item, []);
      if (outcome.kind === 'boot') break;
    }
    return outcome;
  }

  /** The first entry when there is no such. */
  private pick(wanted: string): MenuItem | undefined {
    return this.find(wanted) ?? this.menu[0];
  }

  /** By index, id or title. */
  private find(wanted: string): MenuItem | undefined {
    if (/^\d+$/.test(wanted)) return this.menu[Number(wanted)];
    return this.menu.find((item) => item.id === wanted || item.title === wanted);
  }

  private source(path: string): boolean {
    const content = this.platform.readFile(onRoot(path));
    if (content === null) return this.fails(`file \`${path}' not found.`);
    try {
      this.execute(parseGrubScript(Buffer.from(content).toString()));
      return true;
    } catch (error) {
      if (error instanceof GrubSyntaxError) return this.fails(`${path}: ${error.message}`);
      throw error;
    }
  }

  private execute(nodes: readonly GrubNode[]): boolean {
    for (const node of nodes) {
      switch (node.kind) {
        case 'command':
          this.status = this.command(node.words.flatMap((word) => this.expand(word)));
          break;
        case 'function':
          this.functions.set(node.name, node.body);
          break;
        case 'menu':
          this.menu.push(this.menuItem(node));
          break;
        case 'if': {
          const taken = node.branches.find(({ condition }) => this.holds(condition));
          this.execute(taken?.body ?? node.otherwise);
          break;
        }
      }
    }
    return this.status;
  }

  private holds(condition: readonly GrubNode[]): boolean {
    this.execute(condition);
    // A failed test is an answer, not an error that keeps the entry from booting.
    if (!this.status) this.error = null;
    return this.status;
  }

  private menuItem(node: GrubNode & { kind: 'menu' }): MenuItem {
    const words = node.words.flatMap((word) => this.expand(word));
    let id: string | null = null;
    let title: string | null = null;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] ?? '';
      if (word === '--id' || word === '--class' || word === '--users' || word === '--hotkey') {
        at += 1;
        if (word === '--id') id = words[at] ?? '';
      } else if (word.startsWith('--id=')) id = word.slice('--id='.length);
      else if (!word.startsWith('--')) title ??= word;
    }
    return { id: id ?? title ?? '', title: title ?? '', keyword: node.keyword, body: node.body };
  }

  private expand(word: Word): readonly string[] {
    const words: string[] = [];
    let current = '';
    let any = false;
    for (const segment of word) {
      if ('text' in segment) {
        current += segment.text;
        any = true;
        continue;
      }
      const value = segment.variable === '?' ? (this.status ? '0' : '1') : (this.variables.get(segment.variable) ?? '');
      if (segment.quoted) {
        current += value;
        any = true;
        continue;
      }
      const parts = value.split(/\s+/).filter((part) => part !== '');
      parts.forEach((part, index) => {
        if (index > 0) {
          words.push(current);
          current = '';
        }
        current += part;
        any = true;
      });
    }
    return any ? [...words, current] : words;
  }

  private command(words: readonly string[]): boolean {
    const [name, ...args] = words;
    if (name === undefined) return true;
    const assigned = /^(\w+)=(.*)$/s.exec(name);
    if (assigned !== null && args.length === 0) return this.assign(assigned[1] ?? '', assigned[2] ?? '');
    const own = this.functions.get(name);
    if (own !== undefined) return this.execute(own);
    const command = GRUB_COMMANDS[name];
    if (command === undefined) return this.fails(`can't find command \`${name}'.`);
    return command(this.state, args);
  }

  private assign(name: string, value: string): boolean {
    this.variables.set(name, value);
    return true;
  }

  private fails(text: string): boolean {
    // What failed first is the reason; the rest follows from it.
    this.error ??= text;
    this.platform.print(`error: ${text}`);
    return false;
  }

  private readonly state: GrubState = {
    assign: (name, value) => this.assign(name, value),
    unset: (name) => {
      this.variables.delete(name);
      return true;
    },
    get: (name) => this.variables.get(name),
    exists: (path) => this.platform.readFile(onRoot(path)) !== null,
    size: (path) => this.platform.readFile(onRoot(path))?.length ?? 0,
    print: (text) => this.platform.print(text),
    source: (path) => this.source(path),
    fails: (text) => this.fails(text),
    hasFileSystem: (uuid) => this.platform.hasFileSystem(uuid),
    stop: (outcome) => {
      throw new Stop(outcome);
    },
    linux: (path, args) => this.linux(path, args),
    initrd: (paths) => this.initrd(paths),
    environment: (file) => {
      const content = this.platform.readFile(onRoot(file));
      return content === null ? null : parseEnvironment(Buffer.from(content).toString('latin1'));
    },
    writeEnvironment: (file, variables) => {
      const text = renderEnvironment(variables);
      return text !== null && this.platform.writeFile(onRoot(file), Buffer.from(text, 'latin1'));
    },
  };

  private linux(path: string, args: readonly string[]): boolean {
    const content = this.platform.readFile(onRoot(path));
    if (content === null) return this.fails(`file \`${path}' not found.`);
    if (content.length === 0) return this.fails('premature end of file.');
    this.kernel = { path: onRoot(path), args: [`BOOT_IMAGE=${path}`, ...args].join(' ') };
    this.initrds = [];
    return true;
  }

  private initrd(paths: readonly string[]): boolean {
    if (this.kernel === null) return this.fails('you need to load the kernel first.');
    for (const path of paths)
      if (this.platform.readFile(onRoot(path)) === null) return this.fails(`file \`${path}' not found.`);
    this.initrds = paths.map(onRoot);
    return true;
  }
}

/** `(hd0,gpt2)/boot/x` and `/boot/x`: there is one file system. */
const onRoot = (path: string): string => path.replace(/^\([^)]*\)/, '');
