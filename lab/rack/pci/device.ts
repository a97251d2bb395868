/**
 * PCI devices of a machine, and the kernel's rule for which driver gets one.
 * @module
 */

export interface PciDevice {
  /** `0000:0a:00.0` */
  readonly address: string;
  /** `10de:2330` */
  readonly id: string;
  /** Six hex digits: `030200`. */
  readonly class: string;
  readonly subsystem: string;
  /** For people, as in pci.ids. */
  readonly names: { readonly class: string; readonly vendor: string; readonly device: string };
  /** The driver that claims its id by itself, and the module it is in; null for a device nothing drives. */
  readonly native: { readonly driver: string; readonly module: string } | null;
  readonly iommuGroup: number;
  readonly numaNode: number;
  readonly linkWidth: number;
  readonly linkSpeed: string;
}

const GPU_NAMES = { class: '3D controller', vendor: 'NVIDIA Corporation', device: 'GH100 [H100 SXM5 80GB]' };

/** The first server of the mission. */
export const FIRST_SERVER_GPUS: readonly string[] = ['0a', '18', '3b', '44', '87', '90', 'b8', 'c1'].map(
  (bus) => `0000:${bus}:00.0`,
);

export function gpu(address: string, iommuGroup: number): PciDevice {
  return {
    address,
    id: '10de:2330',
    class: '030200',
    subsystem: '10de:16c1',
    names: GPU_NAMES,
    native: { driver: 'nvidia', module: 'nvidia' },
    iommuGroup,
    numaNode: Number.parseInt(address.slice(5, 7), 16) < 0x80 ? 0 : 1,
    linkWidth: 16,
    linkSpeed: '32.0 GT/s PCIe',
  };
}

export function nvswitch(index: number, iommuGroup: number): PciDevice {
  return {
    address: `0000:${(0xd1 + index).toString(16)}:00.0`,
    id: '10de:22a3',
    class: '068000',
    subsystem: '10de:1796',
    names: { class: 'Bridge', vendor: 'NVIDIA Corporation', device: 'GH100 [H100 NVSwitch]' },
    native: { driver: 'nvidia-nvswitch', module: 'nvidia' },
    iommuGroup,
    numaNode: 1,
    linkWidth: 2,
    linkSpeed: '16.0 GT/s PCIe',
  };
}

function bridge(address: string, iommuGroup: number): PciDevice {
  return {
    address,
    id: '8086:352a',
    class: '060400',
    subsystem: '8086:0000',
    names: { class: 'PCI bridge', vendor: 'Intel Corporation', device: 'Ice Lake PCI Express Root Port A' },
    native: { driver: 'pcieport', module: 'pcieportdrv' },
    iommuGroup,
    numaNode: 0,
    linkWidth: 16,
    linkSpeed: '32.0 GT/s PCIe',
  };
}

const NIC: PciDevice = {
  address: '0000:2a:00.0',
  id: '15b3:1021',
  class: '020000',
  subsystem: '15b3:0023',
  names: { class: 'Ethernet controller', vendor: 'Mellanox Technologies', device: 'MT2910 Family [ConnectX-7]' },
  native: { driver: 'mlx5_core', module: 'mlx5_core' },
  iommuGroup: 12,
  numaNode: 0,
  linkWidth: 16,
  linkSpeed: '32.0 GT/s PCIe',
};

const DISK: PciDevice = {
  address: '0000:01:00.0',
  id: '144d:a824',
  class: '010802',
  subsystem: '144d:aa8b',
  names: {
    class: 'Non-Volatile memory controller',
    vendor: 'Samsung Electronics Co Ltd',
    device: 'NVMe SSD Controller PM173X',
  },
  native: { driver: 'nvme', module: 'nvme' },
  iommuGroup: 10,
  numaNode: 0,
  linkWidth: 4,
  linkSpeed: '16.0 GT/s PCIe',
};

/** GPUs each alone in its IOMMU group below its own bridge, a NIC, an NVMe disk, and NVSwitches where asked for. */
export function serverDevices(gpus: readonly string[], nvswitches: number): readonly PciDevice[] {
  const devices: PciDevice[] = [DISK, NIC];
  gpus.forEach((address, index) => {
    const bus = Number.parseInt(address.slice(5, 7), 16);
    devices.push(bridge(`0000:${(bus - 1).toString(16).padStart(2, '0')}:01.0`, 20 + index));
    devices.push(gpu(address, 40 + index * 2));
  });
  for (let index = 0; index < nvswitches; index += 1) devices.push(nvswitch(index, 86 + index));
  return devices.toSorted((a, b) => a.address.localeCompare(b.address));
}
