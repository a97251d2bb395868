/**
 * Disks that are to become storage: what the host says about each, and why one may not be taken. Nothing is ever wiped: a disk is
 * empty, or it is left alone.
 * @module
 */
import type { FactLines } from '../preflight/fact-lines.js';
import { at, countAt, jsonOrNull, listAt, textAt } from './objects.js';

/** What is approved: enough to find the disk in the rack and to see that it is still the same one. */
export interface DiskIdentity {
  /** As the inventory names it, below /dev/disk/by-id. */
  readonly id: string;
  readonly serial: string;
  readonly model: string;
  readonly bytes: number;
}

export interface DiskFacts {
  readonly id: string;
  /** What the id leads to now, `/dev/nvme1n1`: another one after every boot. null when there is no such disk. */
  readonly device: string | null;
  /** `disk`; `part`, `lvm` or `crypt` for what is only a piece. null when lsblk could not tell. */
  readonly type: string | null;
  readonly serial: string | null;
  readonly model: string | null;
  readonly bytes: number | null;
  readonly readOnly: boolean;
  /** `/dev/nvme1n1p1`'s name, and those of volumes on it. */
  readonly parts: readonly string[];
  readonly mountpoints: readonly string[];
  /** Partition tables, file systems, members of pools; null when they could not be looked for. */
  readonly signatures: readonly string[] | null;
  /** Kernel devices that have it open: device mapper, md, bcache. */
  readonly holders: readonly string[];
}

/** One disk per id, in order, of the lines that the disk script prints: `N.device`, `N.lsblk`, … */
export function parseDisks(ids: readonly string[], lines: FactLines): readonly DiskFacts[] {
  return ids.map((id, n) => parseDisk(id, n, lines));
}

function parseDisk(id: string, n: number, lines: FactLines): DiskFacts {
  const block = listAt(jsonOrNull(lines.printed(`${n}.lsblk`)?.join('\n') ?? ''), 'blockdevices')[0];
  const parts = descendants(block);
  return {
    id,
    device: lines.text(`${n}.device`),
    type: textAt(block, 'type'),
    serial: filled(textAt(block, 'serial')),
    model: filled(textAt(block, 'model')),
    bytes: countAt(block, 'size'),
    readOnly: at(block, 'ro') === true,
    parts: parts.map((part) => textAt(part, 'name') ?? 'something without a name'),
    mountpoints: [block, ...parts].flatMap((part) => listAt(part, 'mountpoints').filter(isText)),
    signatures: signatures(block, n, lines),
    holders: lines.all(`${n}.holder`),
  };
}

/**
 * From three who look for themselves: udev's memory through lsblk, wipefs and blkid on the disk itself. A probe that fails or finds two
 * answers has not seen an empty disk.
 */
function signatures(block: unknown, n: number, lines: FactLines): readonly string[] | null {
  const wiped = lines.printed(`${n}.wipefs`);
  const probed = lines.exit(`${n}.blkid`);
  if (block === undefined || wiped === null || (probed !== 0 && probed !== PROBE_FOUND_NOTHING)) return null;
  const found = [
    ...wiped.map((line) => line.trim()),
    ...[textAt(block, 'fstype'), textAt(block, 'pttype')].filter(isText),
    ...lines.all(`${n}.blkid`).flatMap((line) => /^(?:TYPE|PTTYPE)=(.+)$/.exec(line)?.[1] ?? []),
  ];
  return [...new Set(found.filter((name) => name !== ''))];
}

/** blkid's exit code for a device without any signature; 8 is for one with several. */
const PROBE_FOUND_NOTHING = 2;

const isText = (value: unknown): value is string => typeof value === 'string';
const filled = (text: string | null): string | null => (text === null || text.trim() === '' ? null : text.trim());

/** Without recursion: how deep a host nests them is the host's choice. */
function descendants(block: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const open = [...listAt(block, 'children')].toReversed();
  while (open.length > 0) {
    const child = open.pop();
    found.push(child);
    for (const grandchild of listAt(child, 'children').toReversed()) open.push(grandchild);
  }
  return found;
}

/** Why a disk must not be taken, in words that follow its id; null when it is a whole, empty disk that nobody uses. */
export function whyUnfit(disk: DiskFacts): string | null {
  if (disk.device === null) return 'is not there';
  if (disk.type === null) return 'cannot be read by lsblk';
  if (disk.mountpoints.some((path) => ROOT_MOUNTS.test(path))) return 'holds the system that runs';
  if (disk.type !== 'disk') return `is no whole disk but a ${disk.type}`;
  if (disk.readOnly) return 'is read-only';
  if (disk.mountpoints.length > 0) return `is in use at ${disk.mountpoints.join(', ')}`;
  if (disk.parts.length > 0) return `has ${disk.parts.join(', ')} on it`;
  if (disk.holders.length > 0) return `is held by ${disk.holders.join(', ')}`;
  if (disk.signatures === null) return 'cannot be probed by wipefs and blkid, so nobody knows that it is empty';
  if (disk.signatures.length > 0) return `is not empty: ${disk.signatures.join(', ')}`;
  if (disk.serial === null || disk.bytes === null) return 'says no serial or size, so it could not be told from others';
  return null;
}

const ROOT_MOUNTS = /^\/(boot(\/.*)?)?$/;

/** Lines `ID REASON` for every disk that must not be taken; the same disk under two ids counts too. */
export function unfitDisks(disks: readonly DiskFacts[]): readonly string[] {
  return disks.flatMap((disk, n) => {
    const first = disks.findIndex(({ device }) => device !== null && device === disk.device);
    const why = whyUnfit(disk) ?? (first < n ? `is the same disk as ${disks[first]?.id}` : null);
    return why === null ? [] : [`${disk.id} ${why}`];
  });
}

/** Requires a disk that is fit. */
export function identityOf({ id, serial, model, bytes }: DiskFacts): DiskIdentity {
  return { id, serial: serial ?? '', model: model ?? 'unknown model', bytes: bytes ?? 0 };
}

/** `SAMSUNG MZQL23T8HCLS 3.84 TB serial S64GNE0R1`: decimal, as disks are sold. */
export function describeDisk({ model, bytes, serial }: DiskIdentity): string {
  return `${model} ${(bytes / 1e12).toFixed(2)} TB serial ${serial}`;
}

/** What a person approves before storage takes disks. */
export interface DiskPlan {
  readonly pool: string;
  readonly backend: string;
  /** Kubernetes node, which is LINSTOR's too. */
  readonly node: string;
  /** Empty when the pool is there already: then nothing is asked and no disk is touched. */
  readonly disks: readonly DiskIdentity[];
  /** Eight hex digits in two groups; empty when nothing is asked. */
  readonly digest: string;
}

/** What is asked. */
export function diskQuestion({ pool, backend, disks, digest }: DiskPlan, server: string): string {
  const those = disks.map((disk) => `${describeDisk(disk)} (${disk.id})`).join('; ');
  const count = disks.length === 1 ? '1 empty disk' : `${disks.length} empty disks`;
  return `${server} gives ${count} to LINSTOR pool ${pool} (${backend}), for good: ${those}. Digest ${digest}`;
}
