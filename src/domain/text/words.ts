/**
 * Counts, names and lists in sentences.
 * @module
 */

/** `1 file`, `7 files`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The first few, and how many more there are. */
export function list(names: readonly string[], most: number): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${rest} more` : names.join(', ');
}

/** PCI ids whose product name operators use. Source: pci.ids of NVIDIA (10de). */
const GPU_NAMES: Readonly<Record<string, string>> = { '10de:2330': 'H100' };

export function gpuName(id: string): string {
  return GPU_NAMES[id] ?? `GPUs (${id})`;
}

interface Bound {
  readonly address: string;
  readonly driver: string | null;
}

/** Devices that move to vfio-pci, by the driver they leave (`no driver` for none). */
export function driverMoves<D extends Bound>(devices: readonly D[]): { driver: string; devices: D[] }[] {
  const groups = new Map<string, D[]>();
  for (const device of devices) {
    if (device.driver === 'vfio-pci') continue;
    const driver = device.driver ?? 'no driver';
    groups.set(driver, [...(groups.get(driver) ?? []), device]);
  }
  return [...groups].map(([driver, group]) => ({ driver, devices: group }));
}

/** `0a 18 3b :00.0` where domain, device and function are the same for all, else each in full. */
export function addresses(all: readonly string[]): string {
  const parts = all.map((address) => /^0000:([0-9a-f]{2}):(.*)$/.exec(address));
  const tails = new Set(parts.map((part) => part?.[2]));
  if (all.length < 2 || tails.size !== 1 || parts.includes(null))
    return all.map((a) => a.replace(/^0000:/, '')).join(' ');
  return `${parts.map((part) => part?.[1]).join(' ')} :${[...tails][0]}`;
}
