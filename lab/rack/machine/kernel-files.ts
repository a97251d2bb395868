/**
 * What the kernel shows as files: /dev, /sys and /proc of a boot.
 * @module
 */
import { attribute, characterDevice, directory, link, type Entry } from '../disk/entry.js';
import { moduleSysfs, nvidiaProc, pciDevices, pciSysfs } from '../pci/sysfs.js';
import type { Kernel } from './kernel.js';

/** /dev. */
export function deviceNodes(kernel: Kernel): Map<string, Entry> {
  return new Map<string, Entry>([
    ['/dev/null', characterDevice()],
    ['/dev/zero', characterDevice()],
    ['/dev/kvm', characterDevice()],
    [
      '/dev/kmsg',
      characterDevice(
        (text) =>
          text
            .split('\n')
            .filter((line) => line !== '')
            .forEach((line) => kernel.log(line)),
        0o644,
      ),
    ],
    ['/dev/watchdog', characterDevice(() => {}, 0o600)],
    ['/dev/nvme0n1', characterDevice(() => {}, 0o660)],
    ...kernel.machine.disks.map((disk): [string, Entry] => [`/dev/${disk.name}`, characterDevice(() => {}, 0o660)]),
    ...kernel.machine.disks.map((disk): [string, Entry] => [`/dev/disk/by-id/${disk.id}`, link(`../../${disk.name}`)]),
    ...pciDevices(kernel.bus, kernel.iommu),
  ]);
}

/** /sys. */
export function sysTree(kernel: Kernel): Map<string, Entry> {
  const { machine } = kernel;
  const dmi: Readonly<Record<string, string>> = {
    sys_vendor: machine.vendor,
    product_name: machine.model,
    product_serial: machine.serial,
    product_uuid: machine.uuid,
    board_serial: `${machine.serial}B`,
    chassis_serial: machine.serial,
    bios_version: '2.4.4',
  };
  return new Map<string, Entry>([
    ...pciSysfs(kernel.bus, kernel.iommu),
    ...moduleSysfs(kernel.modules.values()),
    ...Object.entries(dmi).map(([name, value]): [string, Entry] => [
      `/sys/class/dmi/id/${name}`,
      attribute(() => `${value}\n`, undefined, name.endsWith('serial') || name.endsWith('uuid') ? 0o400 : 0o444),
    ]),
    ['/sys/firmware/efi/efivars', directory()],
    ['/sys/firmware/efi/fw_platform_size', attribute(() => '64\n')],
    ['/sys/kernel/kexec_loaded', attribute(() => (kernel.kexec === null ? '0\n' : '1\n'))],
    ['/sys/kernel/kexec_crash_loaded', attribute(() => '0\n')],
    ['/sys/kernel/security/lockdown', attribute(() => '[none] integrity confidentiality\n')],
    ['/sys/class/watchdog', directory()],
    ['/sys/class/net/eno1/operstate', attribute(() => 'up\n')],
  ]);
}

/** /proc, with /proc/sys. */
export function procTree(kernel: Kernel): Map<string, Entry> {
  const { bootId, commandLine, release } = kernel.parameters;
  const tree = new Map<string, Entry>([
    ['/proc/cmdline', attribute(() => `${commandLine}\n`)],
    [
      '/proc/uptime',
      attribute(() => `${kernel.uptimeSeconds.toFixed(2)} ${(kernel.uptimeSeconds * 120).toFixed(2)}\n`),
    ],
    [
      '/proc/version',
      attribute(() => `Linux version ${release} (buildd@lcy02-amd64-100) #63-Ubuntu SMP PREEMPT_DYNAMIC\n`),
    ],
    ['/proc/loadavg', attribute(() => '0.42 0.40 0.38 1/1423 4242\n')],
    [
      '/proc/meminfo',
      attribute(
        () =>
          'MemTotal:       2113372160 kB\nMemFree:        2080000000 kB\nMemAvailable:   2090000000 kB\nHugePages_Total:       0\n',
      ),
    ],
    [
      '/proc/cpuinfo',
      attribute(() =>
        Array.from(
          { length: 112 },
          (_, cpu) => `processor\t: ${cpu}\nmodel name\t: Intel(R) Xeon(R) Platinum 8480C\nflags\t\t: fpu vmx\n`,
        ).join('\n'),
      ),
    ],
    ['/proc/mounts', attribute(() => `${kernel.machine.mountTable().join('\n')}\n`)],
    ['/proc/self/mounts', attribute(() => `${kernel.machine.mountTable().join('\n')}\n`)],
    [
      '/proc/modules',
      attribute(() =>
        [...kernel.modules.values()]
          .map((m) => `${m.name} ${m.size} ${m.usedBy.size} ${[...m.usedBy].join(',') || '-'} Live 0x0\n`)
          .join(''),
      ),
    ],
    ['/proc/filesystems', attribute(() => 'nodev\tsysfs\nnodev\ttmpfs\n\text4\n\tvfat\n')],
    ['/proc/sys/kernel/random/boot_id', attribute(() => `${bootId}\n`)],
    [
      '/proc/sysrq-trigger',
      attribute(
        () => '',
        (text) => kernel.machine.sysrq(text.charAt(0)),
        0o200,
      ),
    ],
    ...nvidiaProc(kernel.bus),
  ]);
  for (const name of kernel.sysctls.keys()) {
    tree.set(
      `/proc/sys/${name.replaceAll('.', '/')}`,
      attribute(
        () => `${kernel.sysctls.get(name) ?? ''}\n`,
        (text) => void kernel.sysctls.set(name, text.trim()),
      ),
    );
  }
  for (const process of kernel.processes.values()) {
    tree.set(
      `/proc/${process.pid}/cmdline`,
      attribute(() => process.commandLine.replaceAll(' ', '\0')),
    );
    tree.set(
      `/proc/${process.pid}/comm`,
      attribute(() => `${process.commandLine.split(' ')[0] ?? ''}\n`),
    );
  }
  return tree;
}
