/**
 * The proof that the planned GPUs, and nothing else, belong to vfio-pci. One row per planned address, one cell per fact.
 * @module
 */
import type { PciAddress, ServerSpec } from '../spec.js';
import type { LspciDevice } from './lspci.js';
import { NVSWITCH_ID, VFIO_DRIVER, type PciDeviceFacts } from './pci.js';

/** How the host was before this run changed anything, from preflight. */
export interface TruthBaseline {
  /** Lanes of each GPU, by address; an address that is missing or null is not compared. */
  readonly linkWidths: Readonly<Record<PciAddress, number | null>>;
  /** Units in state failed, which don't count against the new boot. */
  readonly failedUnits: readonly string[];
  /** Driver of each GPU, by address; null for none. Undo proves these. */
  readonly nativeDrivers: Readonly<Record<PciAddress, string | null>>;
}

/** What else was read in the same boot, and how it was before. */
export interface TruthContext {
  readonly baseline: TruthBaseline;
  readonly failedUnits: readonly string[];
  /** Text of the hook's status file of this boot; null when there is none. */
  readonly hookStatus: string | null;
  /** Processes that were in uninterruptible sleep in both of two samples: `nvidia-smi (pid 4711)`. */
  readonly stuckProcesses: readonly string[];
  /** The second opinion; null when lspci is not installed. */
  readonly lspci: readonly LspciDevice[] | null;
  /** `lspci -Dnnk` of the NVIDIA devices, as people know it; empty without lspci. */
  readonly lspciText: string;
}

export interface TruthCell {
  readonly fact: TruthFact;
  /** As it is printed: `vfio-pci`, `29`, `x16`, `-`. */
  readonly value: string;
  readonly ok: boolean;
}

export interface TruthRow {
  readonly address: PciAddress;
  readonly cells: readonly TruthCell[];
  readonly ok: boolean;
}

export interface TruthTable {
  readonly rows: readonly TruthRow[];
  readonly ok: boolean;
  /** Every reason why it is not ok, for people; empty when it is. */
  readonly problems: readonly string[];
  /** For people; nothing is judged by it. */
  readonly evidence: string;
}

interface Fact {
  readonly name: string;
  readonly value: (device: PciDeviceFacts, ctx: TruthContext) => string;
  readonly ok: (device: PciDeviceFacts, spec: ServerSpec, ctx: TruthContext) => boolean;
  /** What should be there instead. */
  readonly wanted: (device: PciDeviceFacts, spec: ServerSpec, ctx: TruthContext) => string;
}

const lanes = (width: number | null): string => (width === null ? '-' : `x${width}`);
const seenByLspci = (device: PciDeviceFacts, ctx: TruthContext): LspciDevice | undefined =>
  ctx.lspci?.find((seen) => seen.address === device.address);
const strangers = (device: PciDeviceFacts, spec: ServerSpec): readonly PciAddress[] =>
  device.groupMembers.filter((address) => !spec.gpus.addresses.includes(address));
const widthBefore = (device: PciDeviceFacts, ctx: TruthContext): number | null =>
  ctx.baseline.linkWidths[device.address] ?? null;

/** One row per fact of a planned device. `present` is decided before: without a device there is nothing to look at. */
const FACTS = [
  {
    name: 'id',
    value: (device) => device.vendorDevice,
    ok: (device, spec) => device.vendorDevice === spec.gpus.id,
    wanted: (_, spec) => spec.gpus.id,
  },
  {
    name: 'driver',
    value: (device) => device.driver ?? '-',
    ok: (device) => device.driver === VFIO_DRIVER,
    wanted: () => VFIO_DRIVER,
  },
  {
    name: 'driver_override',
    value: (device) => device.driverOverride ?? '-',
    ok: (device) => device.driverOverride === VFIO_DRIVER,
    wanted: () => VFIO_DRIVER,
  },
  {
    name: 'iommu_group',
    value: (device) => (device.iommuGroup === null ? '-' : String(device.iommuGroup)),
    ok: (device) => device.iommuGroup !== null,
    wanted: () => 'a numeric IOMMU group',
  },
  {
    name: 'group_mates',
    value: (device) => (device.groupMembers.length === 0 ? '-' : device.groupMembers.join(' ')),
    ok: (device, spec) => strangers(device, spec).length === 0,
    wanted: () => 'no device in its group that is not planned',
  },
  {
    name: 'vfio_node',
    value: (device) => (device.vfioNode ? `/dev/vfio/${device.iommuGroup}` : '-'),
    ok: (device) => device.vfioNode,
    wanted: (device) => `/dev/vfio/${device.iommuGroup ?? 'GROUP'}`,
  },
  {
    name: 'link_width',
    value: (device) => lanes(device.linkWidth),
    ok: (device, _, ctx) => widthBefore(device, ctx) === null || device.linkWidth === widthBefore(device, ctx),
    wanted: (device, _, ctx) => `${lanes(widthBefore(device, ctx))} as before`,
  },
  {
    name: 'config_space',
    value: (device) => (device.configReadable ? 'ok' : 'dead'),
    ok: (device) => device.configReadable,
    wanted: () => 'readable (it reads as all ones: the device has fallen off the bus)',
  },
  {
    name: 'hook',
    value: (device, ctx) => (overridden(device.address, ctx) ? 'ran' : '-'),
    ok: (device, _, ctx) => overridden(device.address, ctx),
    wanted: () => "a line of this boot's hook that says so",
  },
  {
    name: 'lspci',
    value: (device, ctx) => (ctx.lspci === null ? '-' : (seenByLspci(device, ctx)?.driver ?? '-')),
    ok: (device, _, ctx) => ctx.lspci === null || seenByLspci(device, ctx)?.driver === device.driver,
    wanted: (device) => `${device.driver ?? 'no driver'}, as sysfs says`,
  },
] as const satisfies readonly Fact[];

export type TruthFact = 'present' | (typeof FACTS)[number]['name'];
const facts: readonly (Fact & { readonly name: TruthFact })[] = FACTS;

/** Judges what was read. Pure; the readers are in activities/host/devices.ts. */
export function truthTable(spec: ServerSpec, devices: readonly PciDeviceFacts[], ctx: TruthContext): TruthTable {
  const problems: string[] = [];
  const rows = spec.gpus.addresses.map((address): TruthRow => {
    const device = devices.find((found) => found.address === address);
    if (device === undefined) {
      problems.push(`${address}: no device there`);
      return { address, cells: [{ fact: 'present', value: '-', ok: false }], ok: false };
    }
    const cells = facts.map((fact): TruthCell => {
      const cell = { fact: fact.name, value: fact.value(device, ctx), ok: fact.ok(device, spec, ctx) };
      if (!cell.ok)
        problems.push(`${address}: ${fact.name} is ${cell.value}, expected ${fact.wanted(device, spec, ctx)}`);
      return cell;
    });
    return {
      address,
      cells: [{ fact: 'present', value: 'yes', ok: true }, ...cells],
      ok: cells.every((cell) => cell.ok),
    };
  });
  problems.push(...problemsOfHost(spec, devices, ctx));
  return { rows, ok: problems.length === 0, problems, evidence: ctx.lspciText };
}

/** What is not about one planned device. */
function problemsOfHost(spec: ServerSpec, devices: readonly PciDeviceFacts[], ctx: TruthContext): readonly string[] {
  const problems: string[] = [];
  const groups = new Map<number, PciAddress>();
  for (const device of devices) {
    const planned = spec.gpus.addresses.includes(device.address);
    // KubeVirt offers one device per IOMMU group: two GPUs in one group are one GPU too few (kubevirt#11412).
    if (planned && device.iommuGroup !== null) {
      const other = groups.get(device.iommuGroup);
      if (other !== undefined) problems.push(`${other} and ${device.address} share IOMMU group ${device.iommuGroup}`);
      groups.set(device.iommuGroup, device.address);
    }
    if (planned || device.driver !== VFIO_DRIVER) continue;
    problems.push(
      device.vendorDevice === NVSWITCH_ID
        ? `${device.address}: an NVSwitch is on ${VFIO_DRIVER}, but nvswitch is ${spec.gpus.nvswitch}`
        : `${device.address} (${device.vendorDevice}) is on ${VFIO_DRIVER} and not planned`,
    );
  }
  if (ctx.hookStatus === null) problems.push('the hook left no status file: it did not run in this boot');
  for (const stuck of ctx.stuckProcesses) problems.push(`${stuck} is in uninterruptible sleep, twice in a row`);
  for (const unit of ctx.failedUnits) {
    if (!ctx.baseline.failedUnits.includes(unit)) problems.push(`${unit} failed and had not failed before`);
  }
  return problems;
}

/** The hook writes `ADDRESS overridden` when it has set driver_override. */
function overridden(address: PciAddress, ctx: TruthContext): boolean {
  return (ctx.hookStatus ?? '').split('\n').includes(`${address} overridden`);
}
