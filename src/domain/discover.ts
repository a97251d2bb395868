/**
 * What a host says about itself, for its entry in an inventory.
 * @module
 */
import { type DiskFacts, whyUnfit } from './cluster/disks.js';
import { NVSWITCH_ID, type PciDeviceFacts } from './gpu/pci.js';
import type { FactLines } from './preflight/fact-lines.js';

export interface DiscoveredHost {
  /** null where it is no name that an inventory may use. */
  readonly name: string | null;
  readonly serial: string | null;
  /** Of the host, without loopback. */
  readonly addresses: readonly string[];
  /** null where ipmitool is missing, or its answer is. */
  readonly bmcAddress: string | null;
  /** The kind of NVIDIA GPU of which there are most; null without any. */
  readonly gpus: { readonly id: string; readonly addresses: readonly string[] } | null;
  readonly nvswitches: number;
  /** Whole disks that nobody uses, by id. */
  readonly emptyDisks: readonly string[];
  /** `ID REASON` of the others. */
  readonly otherDisks: readonly string[];
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const IPV4 = /^(?!0\.)\d{1,3}(\.\d{1,3}){3}$/;
/** What inventories take, so that nothing a host says can end its line. */
const DISK_ID = /^\/dev\/disk\/by-id\/[A-Za-z0-9._:+=@-]+$/;
const SERIAL = /^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}$/;
/** Display and 3D controllers. */
const GPU_CLASS = /^03(00|02)/;
const MOST_DISKS = 64;

export function diskIds(lines: FactLines): readonly string[] {
  return lines
    .all('disk')
    .filter((id) => DISK_ID.test(id))
    .slice(0, MOST_DISKS);
}

export function discovered(
  lines: FactLines,
  devices: readonly PciDeviceFacts[],
  disks: readonly DiskFacts[],
): DiscoveredHost {
  const name = (lines.text('hostname') ?? '').toLowerCase().split('.')[0] ?? '';
  const serial = lines.text('serial')?.trim() ?? '';
  // udev has several names for one disk; the first is the shortest.
  const once = disks.filter(({ device }, n) => disks.findIndex((disk) => disk.device === device) === n);
  return {
    name: NAME.test(name) ? name : null,
    serial: SERIAL.test(serial) ? serial : null,
    addresses: (lines.printed('addresses') ?? [])
      .join(' ')
      .split(/\s+/)
      .filter((word) => IPV4.test(word)),
    bmcAddress: bmcAddress(lines.printed('bmc') ?? []),
    gpus: mostGpus(devices),
    nvswitches: devices.filter(({ vendorDevice }) => vendorDevice === NVSWITCH_ID).length,
    emptyDisks: once.filter((disk) => whyUnfit(disk) === null).map(({ id }) => id),
    otherDisks: once.flatMap((disk) => {
      const why = whyUnfit(disk);
      return why === null ? [] : [`${disk.id} ${why}`];
    }),
  };
}

/** `IP Address              : 192.0.2.111`; a BMC without one says 0.0.0.0. */
function bmcAddress(lines: readonly string[]): string | null {
  const [, address = ''] = lines.map((line) => /^IP Address\s*: (\S+)$/.exec(line.trim())).find((match) => match) ?? [];
  return IPV4.test(address) ? address : null;
}

function mostGpus(devices: readonly PciDeviceFacts[]): DiscoveredHost['gpus'] {
  const kinds = new Map<string, string[]>();
  for (const { vendorDevice, class: kind, address } of devices) {
    if (!vendorDevice.startsWith('10de:') || !GPU_CLASS.test(kind)) continue;
    kinds.set(vendorDevice, [...(kinds.get(vendorDevice) ?? []), address]);
  }
  const [most] = [...kinds].toSorted(([, a], [, b]) => b.length - a.length);
  return most === undefined ? null : { id: most[0], addresses: most[1] };
}
