/**
 * PCI devices as sysfs shows them. sysfs is the truth; lspci (./lspci.ts) is the second opinion and the evidence for people.
 * @module
 */
import type { PciAddress } from '../spec.js';

export interface PciDeviceFacts {
  readonly address: PciAddress;
  /** Vendor and device, lower case: `10de:2330`. */
  readonly vendorDevice: string;
  /** Six hex digits, lower case: `030200`. */
  readonly class: string;
  readonly driver: string | null;
  readonly driverOverride: string | null;
  /** null without an IOMMU. A noiommu group isolates nothing and is no group. */
  readonly iommuGroup: number | null;
  /** Other devices in the same group, without PCI bridges: those are no endpoints and stay with the host. */
  readonly groupMembers: readonly PciAddress[];
  /** Lanes in use and lanes possible; null where the device has no PCIe link. */
  readonly linkWidth: number | null;
  readonly maxLinkWidth: number | null;
  /** false when the configuration space reads as all ones (fallen off the bus) or not at all. */
  readonly configReadable: boolean;
  /** Whether `/dev/vfio/GROUP` exists. */
  readonly vfioNode: boolean;
}

/** NVSwitch of an HGX H100 or H200 board. Its class is 0680 (bridge, other), so a filter by class would lose it. */
export const NVSWITCH_ID = '10de:22a3';
export const VFIO_DRIVER = 'vfio-pci';

/** PCI-to-PCI bridges. */
const BRIDGE_CLASS = /^0604/;
/** A host has some hundred devices, with virtual functions a few thousand; a list beyond this is not a list of devices. */
const DEVICE_LIMIT = 4_096;

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const HEX = /^0x[0-9a-f]+$/i;
const FIELDS = 11;
/** Names of drivers. They are printed and kept in histories. */
const NAME = /^[ -~]{0,64}$/;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const problem = (text: string): { ok: false; problem: string } => ({ ok: false, problem: text });
const quoted = (text: string): string => JSON.stringify(text.slice(0, 120));

/**
 * Output of the device script: one line per device, tab-separated (address, vendor, device, class, driver, override, group,
 * width, max width, config, node; `-` for what is absent), last line `end` and the number of devices. Whatever arrives, this answers with
 * devices or with a problem; a list that was cut short is a problem, because a missing device must not look like an absent one.
 */
export function parsePciDevices(output: string): Parsed<readonly PciDeviceFacts[]> {
  const lines = output.split('\n').filter((line) => line !== '');
  const end = lines.pop();
  if (end === undefined || !/^end\t\d+$/.test(end)) return problem('the list of PCI devices has no end');
  if (lines.length > DEVICE_LIMIT) return problem(`the list of PCI devices has ${lines.length} lines`);
  if (Number(end.slice(4)) !== lines.length)
    return problem(`the list of PCI devices has ${lines.length} lines and says ${end.slice(4)}`);

  const devices = new Map<PciAddress, PciDeviceFacts>();
  for (const line of lines) {
    const device = parseDevice(line);
    if (typeof device === 'string') return problem(device);
    if (devices.has(device.address)) return problem(`PCI device ${device.address} is listed twice`);
    devices.set(device.address, device);
  }
  return { ok: true, value: withGroupMembers([...devices.values()]) };
}

function parseDevice(line: string): PciDeviceFacts | string {
  const fields = line.split('\t');
  const [address, vendor, device, cls, driver, override, group, width, maxWidth, config, node] = fields;
  if (fields.length !== FIELDS) return `a PCI device has ${fields.length} fields, not ${FIELDS}: ${quoted(line)}`;
  if (!ADDRESS.test(address ?? '')) return `not a PCI address: ${quoted(address ?? '')}`;
  const id = [vendor, device].map((part) => (HEX.test(part ?? '') ? (part ?? '').slice(2).toLowerCase() : null));
  if (id.some((part) => part?.length !== 4))
    return `PCI device ${address} has no vendor and device id: ${quoted(line)}`;
  if (!/^0x[0-9a-f]{6}$/i.test(cls ?? '')) return `PCI device ${address} has no class: ${quoted(cls ?? '')}`;
  const lanes = [width, maxWidth].map(lanesOf);
  if (lanes.includes(undefined)) return `PCI device ${address} has no link width: ${quoted(line)}`;
  if (group !== '-' && !/^(noiommu-)?\d{1,9}$/.test(group ?? ''))
    return `PCI device ${address} has no IOMMU group: ${quoted(group ?? '')}`;
  for (const name of [driver, override])
    if (!NAME.test(name ?? '')) return `PCI device ${address}, not the name of a driver: ${quoted(name ?? '')}`;
  for (const [field, value, words] of [
    ['config space', config, ['ok', 'dead']],
    ['vfio node', node, ['node', '-']],
  ] as const) {
    if (!words.some((word) => word === value)) return `PCI device ${address}, ${field}: ${quoted(value ?? '')}`;
  }
  return {
    address: address ?? '',
    vendorDevice: id.join(':'),
    class: (cls ?? '').slice(2).toLowerCase(),
    driver: driver === '-' || driver === '' ? null : (driver ?? null),
    driverOverride: override === '-' || override === '' || override === '(null)' ? null : (override ?? null),
    iommuGroup: /^\d+$/.test(group ?? '') ? Number(group) : null,
    groupMembers: [],
    linkWidth: lanes[0] ?? null,
    maxLinkWidth: lanes[1] ?? null,
    configReadable: config === 'ok',
    vfioNode: node === 'node',
  };
}

/** sysfs says 0 or 255 for a device without a link; undefined when it isn't a number at all. */
function lanesOf(field: string | undefined): number | null | undefined {
  if (field === '-') return null;
  if (!/^\d{1,3}$/.test(field ?? '')) return undefined;
  const lanes = Number(field);
  return lanes === 0 || lanes === 255 ? null : lanes;
}

function withGroupMembers(devices: readonly PciDeviceFacts[]): readonly PciDeviceFacts[] {
  const groups = new Map<number, PciAddress[]>();
  for (const { iommuGroup, address, class: cls } of devices) {
    if (iommuGroup === null || BRIDGE_CLASS.test(cls)) continue;
    const group = groups.get(iommuGroup);
    if (group === undefined) groups.set(iommuGroup, [address]);
    else group.push(address);
  }
  return devices.map((device) => ({
    ...device,
    groupMembers: (device.iommuGroup === null ? [] : (groups.get(device.iommuGroup) ?? [])).filter(
      (address) => address !== device.address,
    ),
  }));
}
