/**
 * What a path holds. Entries are immutable: a write replaces the entry, so that hosts share what they have in common and a
 * snapshot is a copy of references. A hard link is therefore a second reference to the content of the moment.
 * @module
 */

interface Meta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Milliseconds since the epoch. */
  readonly mtime: number;
}

export interface FileEntry extends Meta {
  readonly kind: 'file';
  readonly content: Uint8Array;
}

export interface DirectoryEntry extends Meta {
  readonly kind: 'directory';
}

export interface LinkEntry extends Meta {
  readonly kind: 'link';
  readonly target: string;
}

/** A file whose content the kernel makes when it is read, and which acts when it is written: /sys, /proc, /dev. */
export interface NodeEntry extends Meta {
  readonly kind: 'node';
  /** Shown by stat as this type; attributes of /sys and /proc are regular files. */
  readonly type: 'character' | 'regular';
  readonly read: () => string;
  /** Absent: writing gives EACCES. Throws an Error with an errno name (`EINVAL: …`) to refuse a value. */
  readonly write?: (text: string) => void;
}

export type Entry = FileEntry | DirectoryEntry | LinkEntry | NodeEntry;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? encoder.encode(content) : content;
export const textOf = (content: Uint8Array): string => decoder.decode(content);

type MetaOptions = Partial<Meta>;

export function file(content: string | Uint8Array, meta: MetaOptions = {}): FileEntry {
  return { kind: 'file', content: bytesOf(content), mode: 0o644, uid: 0, gid: 0, mtime: 0, ...meta };
}

export function directory(meta: MetaOptions = {}): DirectoryEntry {
  return { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0, ...meta };
}

export function link(target: string, meta: MetaOptions = {}): LinkEntry {
  return { kind: 'link', target, mode: 0o777, uid: 0, gid: 0, mtime: 0, ...meta };
}

/** An attribute file as in /sys and /proc. */
export function attribute(read: () => string, write?: (text: string) => void, mode?: number): NodeEntry {
  return {
    kind: 'node',
    type: 'regular',
    read,
    ...(write === undefined ? {} : { write }),
    mode: mode ?? (write === undefined ? 0o444 : 0o644),
    uid: 0,
    gid: 0,
    mtime: 0,
  };
}

export function characterDevice(write: (text: string) => void = () => {}, mode = 0o666): NodeEntry {
  return { kind: 'node', type: 'character', read: () => '', write, mode, uid: 0, gid: 0, mtime: 0 };
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
