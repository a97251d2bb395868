/**
 * The virtual server as QEMU arguments: q35 with an IOMMU, and eight PCI devices with a native driver at the addresses of the GPUs.
 * @module
 */

/** e1000e: Linux has a native driver for it that wins every race the real one wins. */
export const GPU_ID = '8086:10d3';
/** Bus numbers of the eight, as an HGX H100 of the field has them; device 00, function 0 on each. */
const GPU_BUSES = [0x0a, 0x18, 0x3b, 0x44, 0x87, 0x90, 0xb8, 0xc1] as const;
/** Where a ninth device of the same kind sits, if there is one. */
const NINTH_BUS = 0xd0;

export const GPU_ADDRESSES: readonly string[] = GPU_BUSES.map(addressOn);
export const NINTH_ADDRESS = addressOn(NINTH_BUS);
/** In the IOMMU group of the first GPU, if it is there. */
export const STRANGER_ADDRESS = addressOn(GPU_BUSES[0]).replace(/0$/, '1');

/** TCG everywhere, so that times compare. Its qemu64 offers svm, which preflight asks for. */
export const CPU: readonly string[] = ['-accel', 'tcg,tb-size=256', '-cpu', 'qemu64', '-smp', '1'];

export const FIRST_BOOT_MEMORY_MIB = 1024;
/** update-initramfs and unpacked images lie on the disk; 2 GiB keeps them in the page cache. */
const MEMORY_MIB = 2048;

export type Firmware = 'bios' | 'uefi';
/** `stranger`: a second function beside the first GPU, in its IOMMU group. `ninth`: one more device of the GPUs' kind. */
export type Extra = 'stranger' | 'ninth';

export interface Hardware {
  readonly firmware: Firmware;
  readonly extra?: readonly Extra[];
}

export interface Wiring extends Hardware {
  readonly serial: string;
  /** Raw. */
  readonly disk: string;
  /** UEFI's variables; unused with BIOS. */
  readonly nvram: string;
  /** On 127.0.0.1, forwarded to port 22. */
  readonly sshPort: number;
  /** Unix socket. */
  readonly qmp: string;
  /**
   * On 127.0.0.1. A unix socket holds 278 writes of one byte, as a serial line makes them; when it is full, because whoever reads has to wait
   * for a core, Linux waits 10 ms for the line and loses the byte. TCP holds four million.
   */
  readonly consolePort: number;
  /** Everything the console said, over all boots. */
  readonly consoleLog: string;
}

/** Debian's package ovmf. The first is read-only code, the second the variables a new machine starts with. */
const OVMF = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' } as const;
export const NEW_NVRAM = OVMF.variables;

/** Arguments of qemu-system-x86_64. */
export function qemuArguments(wiring: Wiring): readonly string[] {
  const options: readonly (readonly string[])[] = [
    // Split irqchip: interrupt remapping needs it, and vfio refuses to work without remapping.
    ['-machine', 'q35,kernel-irqchip=split'],
    CPU,
    ['-m', String(MEMORY_MIB)],
    ['-nodefaults'],
    ['-display', 'none'],
    ...(wiring.firmware === 'uefi' ? uefi(wiring) : []),
    ['-device', 'intel-iommu,intremap=on'],
    ['-smbios', `type=1,manufacturer=boot-lab,product=q35,serial=${wiring.serial}`],
    ['-drive', `file=${wiring.disk},format=raw,if=none,id=disk,discard=unmap`],
    ['-device', 'virtio-blk-pci,drive=disk'],
    ['-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${wiring.sshPort}-:22`],
    ['-device', 'virtio-net-pci,netdev=net,romfile='],
    [
      '-chardev',
      `socket,id=console,host=127.0.0.1,port=${wiring.consolePort},server=on,wait=off,logfile=${wiring.consoleLog},logappend=on`,
    ],
    ['-serial', 'chardev:console'],
    ['-qmp', `unix:${wiring.qmp},server=on,wait=off`],
    ...GPU_BUSES.map((bus, index) => gpu(bus, index, wiring.extra?.includes('stranger') === true && index === 0)),
    ...(wiring.extra?.includes('ninth') === true ? [gpu(NINTH_BUS, GPU_BUSES.length, false)] : []),
  ];
  return options.flat();
}

function uefi({ nvram }: Wiring): readonly (readonly string[])[] {
  return [
    ['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${OVMF.code}`],
    ['-drive', `if=pflash,format=raw,unit=1,file=${nvram}`],
  ];
}

/** A host bridge of its own per device, so that it sits alone in its IOMMU group; its root port gets the next bus number. */
function gpu(bus: number, index: number, withStranger: boolean): readonly string[] {
  const id = hex(bus);
  const devices = [
    `pxb-pcie,id=bridge${id},bus=pcie.0,bus_nr=${bus - 1},addr=0x${hex(0x10 + index)}`,
    `pcie-root-port,id=port${id},bus=bridge${id},chassis=${index + 1},slot=${index + 1}`,
    `e1000e,id=gpu${id},bus=port${id},addr=0.0,romfile=${withStranger ? ',multifunction=on' : ''}`,
    ...(withStranger ? [`e1000e,id=stranger${id},bus=port${id},addr=0.1,romfile=`] : []),
  ];
  return devices.flatMap((device) => ['-device', device]);
}

function addressOn(bus: number): string {
  return `0000:${hex(bus)}:00.0`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
