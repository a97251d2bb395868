/**
 * The file system as one process sees it: volumes mounted at prefixes, symbolic links, owners and modes. It ends with its boot:
 * after a power cut every access fails, so that a program of the old boot can't touch the new one.
 * @module
 */
import type { BufferEncoding, CpOptions, FsStat, IFileSystem, MkdirOptions, RmOptions } from 'just-bash';
import { Disk } from './disk.js';
import { bytesOf, directory, file, link, nameOf, parentOf, textOf, type Entry } from './entry.js';
import type { Volume } from './volume.js';

export interface Mount {
  readonly at: string;
  readonly volume: Volume;
}

const MAX_LINKS = 40;
export class FileSystem implements IFileSystem {
  private readonly root: Mount;
  /** Mounts by the first component of where they are, since every access asks. */
  private readonly byTop = new Map<string, Mount[]>();

  constructor(
    /** The first is the root; longer prefixes win. */
    private readonly mounts: readonly Mount[],
    readonly uid: number,
    private readonly isAlive: () => boolean,
    /** Called after each change, with the path. */
    private readonly onChange: (path: string) => void = () => {},
  ) {
    const [root] = mounts;
    if (root === undefined) throw new Error('a file system needs a root');
    this.root = root;
    for (const mount of mounts.slice(1))
      this.byTop.set(topOf(mount.at), [...(this.byTop.get(topOf(mount.at)) ?? []), mount]);
  }

  // --- what programs use directly -------------------------------------------------------------------------------------

  /** The entry, links followed; undefined when there is none. */
  entry(path: string): Entry | undefined {
    const at = this.tryResolve(path, true);
    return at === null ? undefined : this.at(at);
  }

  text(path: string): string | null {
    const entry = this.entry(path);
    if (entry === undefined || entry.kind === 'directory' || entry.kind === 'link') return null;
    return entry.kind === 'file' ? textOf(entry.content) : entry.read();
  }

  /** Names in a directory, sorted; empty when there is none. */
  list(path: string): readonly string[] {
    const at = this.tryResolve(path, true);
    return at === null || this.at(at)?.kind !== 'directory' ? [] : this.namesAt(at);
  }

  put(path: string, content: string | Uint8Array, meta: { mode?: number; uid?: number; gid?: number } = {}): void {
    const at = this.resolve(path, true, 'open');
    this.ensureParents(at);
    const before = this.at(at);
    const kept = before?.kind === 'file' ? { mode: before.mode, uid: before.uid, gid: before.gid } : {};
    this.setAt(
      at,
      file(typeof content === 'string' ? content : content.slice(), { ...kept, ...meta, mtime: Date.now() }),
    );
  }

  change(path: string, change: { mode?: number; uid?: number; gid?: number; mtime?: number }, follow = true): void {
    const at = this.resolve(path, follow, 'chmod');
    const entry = this.existing(at, 'chmod', path);
    if (this.uid !== 0 && entry.uid !== this.uid) throw errno('EPERM', 'operation not permitted', 'chmod', path);
    const next = { ...entry, ...change };
    const volume = this.volumeOf(at).volume;
    if (volume instanceof Disk) volume.place(at, next);
    else volume.set(at, next);
    this.onChange(at);
  }

  /** The real path, and whether it is on the root disk. */
  locate(path: string): { readonly path: string; readonly disk: Disk | null } {
    const at = this.resolve(path, true, 'open');
    const { volume } = this.volumeOf(at);
    return { path: at, disk: volume instanceof Disk ? volume : null };
  }

  disks(): readonly Disk[] {
    return this.mounts.flatMap(({ volume }) => (volume instanceof Disk ? [volume] : []));
  }

  // --- IFileSystem ----------------------------------------------------------------------------------------------------

  async readFile(path: string, options?: { encoding?: BufferEncoding | null } | BufferEncoding): Promise<string> {
    const encoding = typeof options === 'string' ? options : options?.encoding;
    const bytes = this.bytes(path);
    return encoding === 'binary' || encoding === 'latin1' ? Buffer.from(bytes).toString('latin1') : textOf(bytes);
  }

  async readFileBuffer(path: string): Promise<Uint8Array> {
    return this.bytes(path);
  }

  async writeFile(
    path: string,
    content: string | Uint8Array,
    options?: { encoding?: BufferEncoding } | BufferEncoding,
  ): Promise<void> {
    this.write(path, decoded(content, options), false);
  }

  async appendFile(
    path: string,
    content: string | Uint8Array,
    options?: { encoding?: BufferEncoding } | BufferEncoding,
  ): Promise<void> {
    this.write(path, decoded(content, options), true);
  }

  async exists(path: string): Promise<boolean> {
    return this.entry(path) !== undefined;
  }

  async stat(path: string): Promise<FsStat> {
    const at = this.resolve(path, true, 'stat');
    return statOf(this.existing(at, 'stat', path));
  }

  async lstat(path: string): Promise<FsStat> {
    const at = this.resolve(path, false, 'lstat');
    return statOf(this.existing(at, 'lstat', path));
  }

  async mkdir(path: string, options?: MkdirOptions): Promise<void> {
    const at = this.resolve(path, true, 'mkdir');
    if (this.at(at) !== undefined) {
      if (options?.recursive === true && this.at(at)?.kind === 'directory') return;
      throw errno('EEXIST', 'file already exists', 'mkdir', path);
    }
    if (options?.recursive === true) this.ensureParents(at);
    this.setAt(at, directory({ uid: this.uid, gid: this.uid, mtime: Date.now() }));
  }

  async readdir(path: string): Promise<string[]> {
    const at = this.resolve(path, true, 'scandir');
    const entry = this.existing(at, 'scandir', path);
    if (entry.kind !== 'directory') throw errno('ENOTDIR', 'not a directory', 'scandir', path);
    this.demand(entry, 4, 'scandir', path);
    return this.namesAt(at);
  }

  async readdirWithFileTypes(
    path: string,
  ): Promise<{ name: string; isFile: boolean; isDirectory: boolean; isSymbolicLink: boolean }[]> {
    const names = await this.readdir(path);
    const at = this.resolve(path, true, 'scandir');
    return names.map((name) => {
      const { isFile, isDirectory, isSymbolicLink } = statOf(this.existing(join(at, name), 'scandir', path));
      return { name, isFile, isDirectory, isSymbolicLink };
    });
  }

  async rm(path: string, options?: RmOptions): Promise<void> {
    const at = this.tryResolve(path, false);
    const entry = at === null ? undefined : this.at(at);
    if (at === null || entry === undefined) {
      if (options?.force === true) return;
      throw errno('ENOENT', 'no such file or directory', 'rm', path);
    }
    const names = entry.kind === 'directory' ? this.namesAt(at) : [];
    if (names.length > 0 && options?.recursive !== true) throw errno('ENOTEMPTY', 'directory not empty', 'rm', path);
    for (const name of names) await this.rm(join(at, name), { recursive: true });
    this.deleteAt(at);
  }

  async cp(src: string, dest: string, options?: CpOptions): Promise<void> {
    this.copy(src, dest, {
      recursive: options?.recursive === true,
      preserve: false,
      followLinks: options?.recursive !== true,
    });
  }

  copy(src: string, dest: string, options: { recursive: boolean; preserve: boolean; followLinks: boolean }): void {
    const from = this.resolve(src, options.followLinks, 'cp');
    const entry = this.existing(from, 'cp', src);
    if (entry.kind === 'directory') {
      if (!options.recursive) throw errno('EISDIR', 'is a directory', 'cp', src);
      const to = this.resolve(dest, true, 'cp');
      if (this.at(to) === undefined) this.setAt(to, { ...entry, ...this.owner(entry, options.preserve) });
      for (const name of this.namesAt(from)) this.copy(join(from, name), join(to, name), options);
      return;
    }
    const to = this.resolve(dest, entry.kind !== 'link', 'cp');
    if (entry.kind === 'link') {
      this.setAt(to, entry);
      return;
    }
    this.demand(entry, 4, 'open', src);
    const content = entry.kind === 'file' ? entry.content : bytesOf(entry.read());
    const before = this.at(to);
    if (before?.kind === 'node') {
      this.write(to, content, false);
      return;
    }
    // cp into an existing file keeps that file's mode and owner, unless it preserves those of the source.
    const meta = options.preserve
      ? {
          mode: entry.mode,
          uid: this.uid === 0 ? entry.uid : this.uid,
          gid: this.uid === 0 ? entry.gid : this.uid,
          mtime: entry.mtime,
        }
      : before?.kind === 'file'
        ? { mode: before.mode, uid: before.uid, gid: before.gid, mtime: Date.now() }
        : { mode: entry.mode, uid: this.uid, gid: this.uid, mtime: Date.now() };
    // A new buffer: copied data is as undurable as any other write.
    this.setAt(to, file(content.slice(), meta));
  }

  async mv(src: string, dest: string): Promise<void> {
    const from = this.resolve(src, false, 'rename');
    const entry = this.existing(from, 'rename', src);
    const to = this.resolve(dest, false, 'rename');
    if (from === to) return;
    const target = this.at(to);
    if (target?.kind === 'directory') {
      if (entry.kind !== 'directory') throw errno('EISDIR', 'is a directory', 'rename', dest);
      if (this.namesAt(to).length > 0) throw errno('ENOTEMPTY', 'directory not empty', 'rename', dest);
    }
    this.writableParent(to, 'rename');
    this.writableParent(from, 'rename');
    for (const path of [from, ...this.below(from)]) {
      const moved = this.at(path);
      if (moved !== undefined) this.placeAt(to + path.slice(from.length), moved);
    }
    // Deepest first: deleting looks at the folder it deletes from.
    for (const path of [from, ...this.below(from)].toReversed()) this.deleteAt(path);
  }

  resolvePath(base: string, path: string): string {
    return normalise(path.startsWith('/') ? path : `${base}/${path}`);
  }

  getAllPaths(): string[] {
    const all = new Set<string>();
    for (const mount of this.mounts) {
      for (const path of mount.volume.paths()) if (this.volumeOf(path) === mount) all.add(path);
    }
    return [...all];
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.change(path, { mode: mode & 0o7777 });
  }

  async symlink(target: string, linkPath: string): Promise<void> {
    const at = this.resolve(linkPath, false, 'symlink');
    if (this.at(at) !== undefined) throw errno('EEXIST', 'file already exists', 'symlink', linkPath);
    this.setAt(at, link(target, { uid: this.uid, gid: this.uid, mtime: Date.now() }));
  }

  async link(existingPath: string, newPath: string): Promise<void> {
    const from = this.resolve(existingPath, false, 'link');
    const entry = this.existing(from, 'link', existingPath);
    if (entry.kind === 'directory') throw errno('EPERM', 'operation not permitted', 'link', existingPath);
    const to = this.resolve(newPath, false, 'link');
    if (this.at(to) !== undefined) throw errno('EEXIST', 'file already exists', 'link', newPath);
    this.writableParent(to, 'link');
    this.placeAt(to, entry);
  }

  async readlink(path: string): Promise<string> {
    const entry = this.existing(this.resolve(path, false, 'readlink'), 'readlink', path);
    if (entry.kind !== 'link') throw errno('EINVAL', 'invalid argument', 'readlink', path);
    return entry.target;
  }

  async realpath(path: string): Promise<string> {
    const at = this.resolve(path, true, 'realpath');
    this.existing(at, 'realpath', path);
    return at;
  }

  async utimes(path: string, _atime: Date, mtime: Date): Promise<void> {
    this.change(path, { mtime: mtime.getTime() });
  }

  // --- inside ---------------------------------------------------------------------------------------------------------

  private bytes(path: string): Uint8Array {
    const at = this.resolve(path, true, 'open');
    const entry = this.existing(at, 'open', path);
    if (entry.kind === 'directory') throw errno('EISDIR', 'illegal operation on a directory', 'read', path);
    this.demand(entry, 4, 'open', path);
    if (entry.kind === 'node') return bytesOf(entry.read());
    return entry.kind === 'file' ? entry.content : new Uint8Array();
  }

  private write(path: string, content: Uint8Array, append: boolean): void {
    const at = this.resolve(path, true, 'open');
    const before = this.at(at);
    if (before?.kind === 'directory') throw errno('EISDIR', 'illegal operation on a directory', 'open', path);
    if (before !== undefined) this.demand(before, 2, 'open', path);
    if (before?.kind === 'node') {
      if (before.write === undefined) throw errno('EACCES', 'permission denied', 'open', path);
      // The shell opens a redirection before the command runs, which is not a write.
      if (content.length > 0) before.write(textOf(content));
      return;
    }
    if (before?.kind === 'file') {
      const next = append ? concat(before.content, content) : content;
      this.setAt(at, { ...before, content: next === before.content ? next.slice() : next, mtime: Date.now() });
      return;
    }
    this.setAt(at, file(content.slice(), { uid: this.uid, gid: this.uid, mtime: Date.now() }));
  }

  private owner(entry: Entry, preserve: boolean): { uid: number; gid: number; mtime: number } {
    if (preserve && this.uid === 0) return { uid: entry.uid, gid: entry.gid, mtime: entry.mtime };
    return { uid: this.uid, gid: this.uid, mtime: Date.now() };
  }

  private volumeOf(path: string): Mount {
    let best = this.root;
    for (const mount of this.byTop.get(topOf(path)) ?? NO_MOUNTS) {
      if ((path === mount.at || path.startsWith(`${mount.at}/`)) && mount.at.length > best.at.length) best = mount;
    }
    return best;
  }

  private at(path: string): Entry | undefined {
    if (!this.isAlive()) throw errno('EIO', 'the machine is off', 'access', path);
    return this.volumeOf(path).volume.get(path);
  }

  private namesAt(path: string): string[] {
    const names = new Set(this.volumeOf(path).volume.names(path));
    for (const { at } of this.mounts) if (at !== '/' && parentOf(at) === path) names.add(nameOf(at));
    return [...names].toSorted();
  }

  private below(path: string): string[] {
    const prefix = `${path}/`;
    return [...this.volumeOf(path).volume.paths()].filter((known) => known.startsWith(prefix)).toSorted();
  }

  private setAt(path: string, entry: Entry): void {
    if (this.at(path) === undefined || entry.kind === 'link') this.writableParent(path, 'open');
    this.volumeOf(path).volume.set(path, entry);
    this.onChange(path);
  }

  private placeAt(path: string, entry: Entry): void {
    const { volume } = this.volumeOf(path);
    if (volume instanceof Disk) volume.place(path, entry);
    else volume.set(path, entry);
    this.onChange(path);
  }

  private deleteAt(path: string): void {
    this.writableParent(path, 'unlink');
    this.volumeOf(path).volume.delete(path);
    this.onChange(path);
  }

  private ensureParents(path: string): void {
    const parent = parentOf(path);
    if (this.at(parent) !== undefined) return;
    this.ensureParents(parent);
    this.setAt(parent, directory({ uid: this.uid, gid: this.uid, mtime: Date.now() }));
  }

  private writableParent(path: string, call: string): void {
    const parent = this.at(parentOf(path));
    if (parent === undefined) throw errno('ENOENT', 'no such file or directory', call, path);
    if (parent.kind !== 'directory') throw errno('ENOTDIR', 'not a directory', call, path);
    this.demand(parent, 2, call, path);
  }

  private demand(entry: Entry, bit: 2 | 4, call: string, path: string): void {
    if (this.uid === 0) return;
    const shift = entry.uid === this.uid ? 6 : entry.gid === this.uid ? 3 : 0;
    if (((entry.mode >> shift) & bit) === 0) throw errno('EACCES', 'permission denied', call, path);
  }

  private existing(at: string, call: string, path: string): Entry {
    const entry = this.at(at);
    if (entry === undefined) throw errno('ENOENT', 'no such file or directory', call, path);
    return entry;
  }

  private tryResolve(path: string, followLast: boolean): string | null {
    try {
      return this.resolve(path, followLast, 'access');
    } catch (error) {
      if (error instanceof Error && /^(ENOENT|ENOTDIR|ELOOP)/.test(error.message)) return null;
      throw error;
    }
  }

  /** Follows links. The last component need not exist. */
  private resolve(path: string, followLast: boolean, call: string): string {
    let rest = normalise(path)
      .split('/')
      .filter((part) => part !== '');
    let done = '';
    let links = 0;
    while (rest.length > 0) {
      const [part = '', ...others] = rest;
      rest = others;
      const here = `${done}/${part}`;
      const entry = this.at(here);
      if (entry?.kind === 'link' && (rest.length > 0 || followLast)) {
        links += 1;
        if (links > MAX_LINKS) throw errno('ELOOP', 'too many symbolic links encountered', call, path);
        const target = normalise(entry.target.startsWith('/') ? entry.target : `${done}/${entry.target}`);
        rest = [...target.split('/').filter((piece) => piece !== ''), ...rest];
        done = '';
        continue;
      }
      if (entry !== undefined && entry.kind !== 'directory' && rest.length > 0)
        throw errno('ENOTDIR', 'not a directory', call, path);
      done = here;
    }
    return done === '' ? '/' : done;
  }
}

function decoded(content: string | Uint8Array, options?: { encoding?: BufferEncoding } | BufferEncoding): Uint8Array {
  if (typeof content !== 'string') return content.slice();
  const encoding = typeof options === 'string' ? options : options?.encoding;
  return encoding === 'binary' || encoding === 'latin1'
    ? new Uint8Array(Buffer.from(content, 'latin1'))
    : bytesOf(content);
}

function statOf(entry: Entry): FsStat {
  return {
    // `[ -f /dev/null ]` must be false, but just-bash knows only three kinds; a device is shown as a file.
    isFile: entry.kind === 'file' || entry.kind === 'node',
    isDirectory: entry.kind === 'directory',
    isSymbolicLink: entry.kind === 'link',
    mode: entry.mode,
    size: entry.kind === 'file' ? entry.content.length : entry.kind === 'link' ? entry.target.length : 4096,
    mtime: new Date(entry.mtime),
  };
}

export function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

const NO_MOUNTS: readonly Mount[] = [];

/** `/usr` of `/usr/bin/sh`. */
function topOf(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path : path.slice(0, end);
}

const join = (directoryPath: string, name: string): string =>
  directoryPath === '/' ? `/${name}` : `${directoryPath}/${name}`;

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function errno(code: string, text: string, call: string, path: string): Error {
  return new Error(`${code}: ${text}, ${call} '${path}'`);
}
