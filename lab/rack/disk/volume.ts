/**
 * A tree of entries by absolute path, with or without durability. Paths are normalised and free of links.
 * @module
 */
import { directory, nameOf, parentOf, type Entry } from './entry.js';

export interface Volume {
  get(path: string): Entry | undefined;
  set(path: string, entry: Entry): void;
  delete(path: string): void;
  /** Names in a directory, unsorted. */
  names(path: string): Iterable<string>;
  paths(): Iterable<string>;
}

/** Forgets everything with the object that holds it: tmpfs, an unpacked initramfs. */
export class MemoryVolume implements Volume {
  protected entries: Map<string, Entry>;
  private index: Map<string, Set<string>> | null = null;

  constructor(entries: ReadonlyMap<string, Entry> = new Map()) {
    this.entries = new Map(entries);
    if (!this.entries.has('/')) this.entries.set('/', directory());
  }

  get(path: string): Entry | undefined {
    return this.entries.get(path);
  }

  set(path: string, entry: Entry): void {
    if (this.index !== null && !this.entries.has(path)) addTo(this.index, path);
    this.entries.set(path, entry);
  }

  delete(path: string): void {
    if (this.entries.delete(path)) this.index?.get(parentOf(path))?.delete(nameOf(path));
  }

  names(path: string): Iterable<string> {
    if (this.index === null) {
      this.index = new Map();
      for (const known of this.entries.keys()) addTo(this.index, known);
    }
    return this.index.get(path) ?? [];
  }

  paths(): Iterable<string> {
    return this.entries.keys();
  }

  copy(): ReadonlyMap<string, Entry> {
    return new Map(this.entries);
  }

  protected replaceAll(entries: ReadonlyMap<string, Entry>): void {
    this.entries = new Map(entries);
    this.index = null;
  }
}

function addTo(index: Map<string, Set<string>>, path: string): void {
  if (path === '/') return;
  const parent = parentOf(path);
  const names = index.get(parent);
  if (names === undefined) index.set(parent, new Set([nameOf(path)]));
  else names.add(nameOf(path));
}

/** Read-only tree that the kernel makes anew whenever its state changed. */
export class DerivedVolume implements Volume {
  private version = -1;
  private made = new MemoryVolume();

  constructor(
    private readonly stateVersion: () => number,
    private readonly make: () => ReadonlyMap<string, Entry>,
  ) {}

  get(path: string): Entry | undefined {
    return this.current().get(path);
  }

  set(path: string): void {
    throw new Error(`EACCES: permission denied, open '${path}'`);
  }

  delete(path: string): void {
    throw new Error(`EPERM: operation not permitted, unlink '${path}'`);
  }

  names(path: string): Iterable<string> {
    return this.current().names(path);
  }

  paths(): Iterable<string> {
    return this.current().paths();
  }

  private current(): MemoryVolume {
    const now = this.stateVersion();
    if (now !== this.version) {
      this.version = now;
      this.made = new MemoryVolume(withParents(this.make()));
    }
    return this.made;
  }
}

/** Adds the directories above every path. */
export function withParents(entries: ReadonlyMap<string, Entry>): Map<string, Entry> {
  const all = new Map<string, Entry>([['/', directory()]]);
  for (const [path, entry] of entries) {
    const missing: string[] = [];
    for (let at = parentOf(path); !all.has(at) && !entries.has(at); at = parentOf(at)) missing.push(at);
    for (const at of missing.toReversed()) all.set(at, directory());
    all.set(path, entry);
  }
  return all;
}
