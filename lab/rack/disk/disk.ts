/**
 * The root disk: what is written, what would survive a power cut, and what GRUB would see. They differ on ext4: `fsync` commits
 * the journal, Linux replays it at the next mount, and GRUB, which doesn't, sees only what `sync -f`, `sync` or an unmount has
 * brought to its place.
 * @module
 */
import type { Entry } from './entry.js';
import { MemoryVolume } from './volume.js';

/** The kernel writes dirty pages back after this long, so older changes survive a power cut without any fsync. */
const WRITEBACK_MS = 30_000;

export class Disk extends MemoryVolume {
  private journaled: Map<string, Entry>;
  private grubVisible: Map<string, Entry>;
  /** Paths that differ from the journal, and when they were changed last. */
  private readonly unsynced = new Map<string, number>();
  /** Paths that differ from what GRUB sees. */
  private readonly unpublished = new Set<string>();
  /** File data that is only in memory. Neither chmod nor rename changes that, so it is kept by content. */
  private readonly dirty = new WeakSet<Uint8Array>();

  constructor(entries: ReadonlyMap<string, Entry>) {
    super(entries);
    this.journaled = new Map(this.entries);
    this.grubVisible = new Map(this.entries);
  }

  override set(path: string, entry: Entry): void {
    super.set(path, entry);
    if (entry.kind === 'file') this.dirty.add(entry.content);
    this.changed(path);
  }

  override delete(path: string): void {
    super.delete(path);
    this.changed(path);
  }

  /** A rename, a hard link, a new mode: the content is the same, so it is as durable as it was. */
  place(path: string, entry: Entry): void {
    super.set(path, entry);
    this.changed(path);
  }

  /** `fsync(2)`: this file's data and the running transaction, that is every rename, link and unlink so far. */
  fsync(path: string): void {
    this.clean(path);
    for (const changed of this.unsynced.keys()) {
      const now = this.entries.get(changed);
      if (now?.kind !== 'file' || !this.dirty.has(now.content)) this.commit(changed);
    }
  }

  /** `sync -f`, `sync`, or a clean unmount. */
  syncAll(): void {
    for (const path of this.unsynced.keys()) {
      this.clean(path);
      this.commit(path);
    }
    for (const path of this.unpublished) mirror(this.entries, this.grubVisible, path);
    this.unpublished.clear();
  }

  /** Loses what was only in memory. */
  powerCut(now: number): void {
    for (const [path, changedAt] of this.unsynced) {
      if (now - changedAt >= WRITEBACK_MS) this.commit(path);
    }
    this.replaceAll(this.journaled);
    this.unsynced.clear();
  }

  /** Linux mounts the disk: the journal is replayed and checkpointed. */
  mount(): void {
    this.syncAll();
  }

  /** As GRUB reads it. */
  grub(path: string): Entry | undefined {
    return this.grubVisible.get(path);
  }

  /** GRUB overwrites the blocks of an existing file in place; Linux sees that too. */
  grubOverwrite(path: string, content: Uint8Array): void {
    const entry = this.grubVisible.get(path);
    if (entry?.kind !== 'file') throw new Error(`GRUB can't find ${path}`);
    const written = { ...entry, content };
    super.set(path, written);
    this.journaled.set(path, written);
    this.grubVisible.set(path, written);
    this.unsynced.delete(path);
    this.unpublished.delete(path);
  }

  private clean(path: string): void {
    const entry = this.entries.get(path);
    if (entry?.kind === 'file') this.dirty.delete(entry.content);
  }

  private changed(path: string): void {
    this.unsynced.set(path, Date.now());
    this.unpublished.add(path);
  }

  private commit(path: string): void {
    mirror(this.entries, this.journaled, path);
    this.unsynced.delete(path);
  }
}

function mirror(from: ReadonlyMap<string, Entry>, to: Map<string, Entry>, path: string): void {
  const entry = from.get(path);
  if (entry === undefined) to.delete(path);
  else to.set(path, entry);
}
