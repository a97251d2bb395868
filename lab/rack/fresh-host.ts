/**
 * The disk of a fresh Ubuntu 24.04.3 server with the GA kernel, an older kernel beside it, and NVIDIA's driver from DKMS.
 * Made once a process: hosts share its entries until they change them.
 * @module
 */
import { directory, file, link, type Entry } from './disk/entry.js';
import { FileSystem } from './disk/file-system.js';
import { MemoryVolume, withParents } from './disk/volume.js';
import { generateGrubConfig, parseSettings } from './boot/grub-config-generator.js';
import { renderEnvironment } from './boot/grub-environment.js';
import { makeImage } from './boot/mkinitramfs.js';
import { STATUS_PATH, renderStatus } from './packages/database.js';
import { MIRROR, PREINSTALLED } from './packages/table.js';
import { EFI_UUID, ROOT_UUID } from './machine/file-systems.js';
import { KERNEL_MODULES } from './pci/modules.js';
import { PROGRAMS } from './programs/index.js';
import { INTERPRETER_PROGRAMS } from './shell/process.js';

export const KERNELS = ['6.8.0-60-generic', '6.8.0-58-generic'] as const;

const ETC: Readonly<Record<string, string>> = {
  '/etc/os-release':
    'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION="24.04.3 LTS (Noble Numbat)"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=noble\n',
  '/etc/lsb-release':
    'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\nDISTRIB_DESCRIPTION="Ubuntu 24.04.3 LTS"\n',
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n',
  '/etc/group': 'root:x:0:\nsudo:x:27:ubuntu\nubuntu:x:1000:\n',
  '/etc/sudoers':
    'Defaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n',
  '/etc/sudoers.d/90-cloud-init-users': 'ubuntu ALL=(ALL) NOPASSWD:ALL\n',
  '/etc/machine-id': '5b0e3c9a7f7e4e0f9f4f6f2f6d1d2c3b\n',
  '/etc/fstab': `# /etc/fstab: static file system information.\nUUID=${ROOT_UUID} / ext4 defaults 0 1\nUUID=${EFI_UUID} /boot/efi vfat defaults 0 1\n/swap.img\tnone\tswap\tsw\t0\t0\n`,
  '/etc/netplan/50-cloud-init.yaml': 'network:\n  version: 2\n  ethernets:\n    eno1:\n      dhcp4: true\n',
  '/etc/default/grub':
    'GRUB_DEFAULT=0\nGRUB_TIMEOUT_STYLE=hidden\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Ubuntu} ) 2>/dev/null || echo Ubuntu`\nGRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX=""\n',
  '/etc/initramfs-tools/initramfs.conf':
    'MODULES=most\nBUSYBOX=auto\nKEYMAP=n\nCOMPRESS=zstd\nDEVICE=\nNFSROOT=auto\nRUNSIZE=10%\nFSTYPE=auto\n',
  '/etc/initramfs-tools/update-initramfs.conf': 'update_initramfs=yes\nbackup_initramfs=no\n',
  '/etc/initramfs-tools/modules':
    '# List of modules that you want to include in your initramfs.\n# They will be loaded at boot time in the order below.\n#\n# Syntax:  module_name [args ...]\n#\n# raid1\n# sd_mod\n',
  '/etc/modules': '# /etc/modules: kernel modules to load at boot time.\n',
  '/etc/modules-load.d/modules.conf': '# /etc/modules: kernel modules to load at boot time.\n',
  '/etc/modprobe.d/blacklist.conf': 'blacklist evbug\nblacklist usbmouse\nblacklist pcspkr\n',
  '/etc/modprobe.d/blacklist-nouveau.conf': 'blacklist nouveau\noptions nouveau modeset=0\n',
  '/etc/sysctl.conf': '# /etc/sysctl.conf\n',
  '/etc/sysctl.d/10-kernel-hardening.conf': 'kernel.sysrq = 176\n',
  '/etc/lvm/lvm.conf':
    'config {\n\tchecks = 1\n}\ndevices {\n\tdir = "/dev"\n\tscan = [ "/dev" ]\n\t# Configuration option devices/filter.\n\t# filter = [ "a|.*|" ]\n\n\t# Configuration option devices/global_filter.\n\t# Limit the block devices that are used by LVM system components.\n\t# global_filter = [ "a|.*|" ]\n\n\tissue_discards = 1\n}\nallocation {\n\tmaximise_cling = 1\n}\n',
  '/etc/apt/sources.list.d/ubuntu.sources':
    'Types: deb\nURIs: http://archive.ubuntu.com/ubuntu/\nSuites: noble noble-updates\nComponents: main universe restricted multiverse\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n',
  '/etc/apt/apt.conf.d/20auto-upgrades':
    'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
  '/etc/ssh/sshd_config': 'Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n',
  '/etc/hosts': '127.0.0.1 localhost\n',
};

const script = (body: string): string =>
  `#!/bin/sh\nPREREQ=""\nprereqs()\n{\n\techo "$PREREQ"\n}\ncase $1 in\nprereqs)\n\tprereqs\n\texit 0\n\t;;\nesac\n${body}`;

/** Packaged init-top scripts; `udev` cold-plugs native drivers with no look at what has bound already. */
const INITRAMFS_SCRIPTS: Readonly<Record<string, string>> = {
  'init-top/all_generic_ide': script('exit 0\n'),
  'init-top/blacklist': script('exit 0\n'),
  'init-top/keymap': script('exit 0\n'),
  'init-top/udev': script(
    '/usr/lib/systemd/systemd-udevd --daemon --resolve-names=never\nudevadm trigger --type=subsystems --action=add\nudevadm trigger --type=devices --action=add\nudevadm settle || true\n',
  ),
  'init-bottom/udev': script('exit 0\n'),
  functions: '# -*- shell-script -*-\n',
  local: '# -*- shell-script -*-\n',
};

interface UnitText {
  readonly name: string;
  readonly text: string;
  readonly enabledFor?: string;
}

const simple = (
  name: string,
  description: string,
  exec: string,
  options: { type?: string; unit?: string; target?: string; service?: string; static?: boolean } = {},
): UnitText => {
  const target = options.target ?? 'multi-user.target';
  return {
    name,
    text: `[Unit]\nDescription=${description}\n${options.unit ?? ''}\n[Service]\nType=${options.type ?? 'notify'}\nExecStart=${exec}\n${options.service ?? ''}${options.static === true ? '' : `\n[Install]\nWantedBy=${target}\n`}`,
    enabledFor: target,
  };
};

const DAEMON = '/usr/lib/lab/daemon';
const ONCE = 'RemainAfterExit=yes\n';

const UNITS: readonly UnitText[] = [
  simple('systemd-modules-load.service', 'Load Kernel Modules', '/usr/lib/systemd/systemd-modules-load', {
    type: 'oneshot',
    unit: 'DefaultDependencies=no\nBefore=sysinit.target\n',
    target: 'sysinit.target',
    service: ONCE,
    static: true,
  }),
  simple('systemd-sysctl.service', 'Apply Kernel Variables', '/usr/sbin/sysctl --system -q', {
    type: 'oneshot',
    unit: 'DefaultDependencies=no\nAfter=systemd-modules-load.service\n',
    target: 'sysinit.target',
    service: ONCE,
    static: true,
  }),
  simple(
    'systemd-udev-trigger.service',
    'Coldplug All udev Devices',
    '/usr/bin/udevadm trigger --type=devices --action=add',
    { type: 'oneshot', unit: 'DefaultDependencies=no\n', target: 'sysinit.target', service: ONCE, static: true },
  ),
  simple('ssh.service', 'OpenBSD Secure Shell server', '/usr/sbin/sshd -D'),
  simple('cron.service', 'Regular background program processing daemon', DAEMON),
  simple('unattended-upgrades.service', 'Unattended Upgrades Shutdown', DAEMON),
  simple('nvidia-persistenced.service', 'NVIDIA Persistence Daemon', DAEMON, {
    unit: 'ConditionPathExists=/dev/nvidiactl\n',
  }),
  simple('grub-common.service', 'Record successful boot for GRUB', 'grub-editenv /boot/grub/grubenv unset recordfail', {
    type: 'oneshot',
    service: ONCE,
  }),
  {
    name: 'apt-daily.service',
    text: '[Unit]\nDescription=Daily apt download activities\n\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n',
  },
  {
    name: 'apt-daily-upgrade.service',
    text: '[Unit]\nDescription=Daily apt upgrade and clean activities\n\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n',
  },
  {
    name: 'apt-daily.timer',
    text: '[Unit]\nDescription=Daily apt download activities\n\n[Timer]\nOnCalendar=*-*-* 6,18:00\n\n[Install]\nWantedBy=timers.target\n',
    enabledFor: 'timers.target',
  },
  {
    name: 'apt-daily-upgrade.timer',
    text: '[Unit]\nDescription=Daily apt upgrade and clean activities\n\n[Timer]\nOnCalendar=*-*-* 6:00\n\n[Install]\nWantedBy=timers.target\n',
    enabledFor: 'timers.target',
  },
  { name: 'sysinit.target', text: '[Unit]\nDescription=System Initialization\n' },
  { name: 'basic.target', text: '[Unit]\nDescription=Basic System\n' },
  { name: 'multi-user.target', text: '[Unit]\nDescription=Multi-User System\n' },
  { name: 'network-online.target', text: '[Unit]\nDescription=Network is Online\n' },
  { name: 'local-fs.target', text: '[Unit]\nDescription=Local File Systems\n' },
  { name: 'shutdown.target', text: '[Unit]\nDescription=System Shutdown\n' },
];

/** Programs by paths that scripts and units write out. */
const SBIN =
  'modprobe lsmod modinfo depmod sysctl update-initramfs mkinitramfs update-grub grub-mkconfig grub-probe reboot poweroff shutdown lspci dmidecode blkid lvmconfig'.split(
    ' ',
  );
const BINARIES: Readonly<Record<string, string>> = {
  '/usr/sbin/sshd': 'lab:sshd',
  '/usr/lib/lab/daemon': 'lab:daemon',
  '/usr/lib/systemd/systemd-modules-load': 'lab:modules-load',
  '/usr/lib/systemd/systemd-udevd': 'lab:udevd',
};
/** Come with packages that a fresh host lacks. */
const NOT_INSTALLED = new Set(
  [...MIRROR.values()].flatMap(({ name, programs = [] }) =>
    PREINSTALLED.some(([installed]) => installed === name) ? [] : programs,
  ),
);

let made: Promise<ReadonlyMap<string, Entry>> | null = null;

export function freshDisk(): Promise<ReadonlyMap<string, Entry>> {
  made ??= makeFreshDisk();
  return made;
}

async function makeFreshDisk(): Promise<ReadonlyMap<string, Entry>> {
  const tree = new Map<string, Entry>();
  for (const [path, text] of Object.entries(ETC))
    tree.set(path, file(text, { mode: path.startsWith('/etc/sudoers') ? 0o440 : 0o644 }));
  for (const [path, text] of Object.entries(INITRAMFS_SCRIPTS))
    tree.set(`/usr/share/initramfs-tools/scripts/${path}`, file(text, { mode: path.includes('/') ? 0o755 : 0o644 }));
  for (const { name, text, enabledFor } of UNITS) {
    tree.set(`/usr/lib/systemd/system/${name}`, file(text));
    if (enabledFor === undefined) continue;
    const owner = text.includes('[Install]') ? '/etc' : '/usr/lib';
    tree.set(`${owner}/systemd/system/${enabledFor}.wants/${name}`, link(`/usr/lib/systemd/system/${name}`));
  }
  for (const program of [
    ...INTERPRETER_PROGRAMS,
    ...Object.keys(PROGRAMS).filter((name) => !name.startsWith('lab:')),
  ]) {
    if (!NOT_INSTALLED.has(program)) tree.set(`/usr/bin/${program}`, file(`\x7fELF ${program}\n`, { mode: 0o755 }));
  }
  for (const program of SBIN) tree.set(`/usr/sbin/${program}`, file(`\x7fELF ${program}\n`, { mode: 0o755 }));
  for (const [path, program] of Object.entries(BINARIES)) tree.set(path, file(`\x7fELF ${program}\n`, { mode: 0o755 }));
  for (const name of ['bin', 'sbin', 'lib']) tree.set(`/${name}`, link(`usr/${name}`));
  for (const path of [
    '/etc/default/grub.d',
    '/etc/initramfs-tools/scripts/init-top',
    '/etc/initramfs-tools/hooks',
    '/etc/systemd/system',
    '/var/tmp',
    '/var/lib',
    '/var/log',
    '/usr/local/bin',
    '/usr/local/lib',
    '/opt',
    '/srv',
    '/mnt',
    '/boot/efi',
    '/var/lib/dpkg/info',
    '/etc/multipath',
  ])
    tree.set(path, directory(path === '/var/tmp' ? { mode: 0o1777 } : {}));
  tree.set('/root', directory({ mode: 0o700 }));
  tree.set('/home/ubuntu', directory({ mode: 0o750, uid: 1000, gid: 1000 }));
  tree.set('/home/ubuntu/.ssh', directory({ mode: 0o700, uid: 1000, gid: 1000 }));
  tree.set('/swap.img', file('', { mode: 0o600 }));
  tree.set(
    STATUS_PATH,
    file(renderStatus(PREINSTALLED.map(([name, version]) => ({ name, version, status: 'install ok installed' })))),
  );
  tree.set(
    '/var/lib/apt/extended_states',
    file(
      PREINSTALLED.filter(([, , manual]) => manual === true)
        .map(([name]) => `${name}\n`)
        .join(''),
    ),
  );
  for (const kernel of KERNELS) {
    tree.set(`/boot/vmlinuz-${kernel}`, file(`\x7fKERNEL ${kernel}\n${'kernel '.repeat(512)}`, { mode: 0o600 }));
    tree.set(`/boot/config-${kernel}`, file('CONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n'));
    tree.set(
      `/usr/lib/modules/${kernel}/modules.builtin`,
      file('kernel/fs/ext4/ext4.ko\nkernel/drivers/block/loop.ko\n'),
    );
    for (const module of KERNEL_MODULES.values())
      tree.set(`/usr/lib/modules/${kernel}/kernel/${module.file}.zst`, file(`module ${module.name} ${kernel}\n`));
  }
  tree.set('/boot/vmlinuz', link(`vmlinuz-${KERNELS[0]}`));
  tree.set('/boot/initrd.img', link(`initrd.img-${KERNELS[0]}`));
  tree.set('/boot/grub/grubenv', file(renderEnvironment(new Map()) ?? ''));
  tree.set(
    '/boot/grub/grub.cfg',
    file(
      generateGrubConfig({
        settings: parseSettings([ETC['/etc/default/grub'] ?? '']),
        kernels: KERNELS.map((version) => ({ version, initrd: true })),
        rootUuid: ROOT_UUID,
      }),
      { mode: 0o444 },
    ),
  );
  const complete = withParents(tree);
  const fs = new FileSystem([{ at: '/', volume: new MemoryVolume(complete) }], 0, () => true);
  let build = 0;
  for (const kernel of KERNELS) {
    build += 1;
    const image = await makeImage({ fs, prereqs: () => Promise.resolve(''), warn: () => {} }, kernel, build);
    complete.set(`/boot/initrd.img-${kernel}`, file(image, { mode: 0o600 }));
  }
  return complete;
}
