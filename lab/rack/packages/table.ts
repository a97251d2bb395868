/**
 * What the package mirror of the lab offers, and what installing it does to a host.
 * @module
 */

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly depends?: readonly string[];
  /** By path. Programs are binaries that name one of the lab's programs. */
  readonly files?: Readonly<Record<string, string>>;
  readonly programs?: readonly string[];
  /** Its trigger or postinst rebuilds every image (`update-initramfs -u -k all`). */
  readonly rebuildsInitramfs?: boolean;
  /** A kernel: builds its own image and runs update-grub, and takes both back when it is removed. */
  readonly kernel?: string;
  /** The modules of a kernel. */
  readonly modulesOf?: string;
  /** Offered only once this was published, and apt has read its lists since. */
  readonly pocket?: string;
  /** Units that postinst enables and starts. */
  readonly units?: readonly string[];
}

const daemon = (description: string, type = 'notify'): string =>
  `[Unit]\nDescription=${description}\n\n[Service]\nType=${type}\nExecStart=/usr/lib/lab/daemon\n\n[Install]\nWantedBy=multi-user.target\n`;

const headers = (release: string, version = '6.8.0-60.63'): Package => ({
  name: `linux-headers-${release}`,
  version,
  files: { [`/usr/src/linux-headers-${release}/Makefile`]: '# headers\n' },
});
const extra = (release: string, version = '6.8.0-60.63'): Package => ({
  name: `linux-modules-extra-${release}`,
  version,
  files: { [`/usr/lib/modules/${release}/kernel/extra.list`]: 'extra\n' },
});

/** A kernel of the archive, and the metapackages that name it. */
function kernel(release: string, version: string, meta: string): readonly Package[] {
  const depends = [`linux-modules-${release}`];
  return [
    { name: `linux-modules-${release}`, version, modulesOf: release },
    { name: `linux-image-${release}`, version, kernel: release, depends },
    { ...extra(release, version), depends },
    headers(release, version),
    {
      name: 'linux-image-generic',
      version: meta,
      depends: [`linux-image-${release}`, `linux-modules-extra-${release}`],
    },
    { name: 'linux-generic', version: meta, depends: ['linux-image-generic'] },
  ];
}

/** Published after a fresh host has read its lists. */
export const LATER_KERNEL = { release: '6.8.0-64-generic', pocket: 'noble-updates, a month later' } as const;

const PACKAGES: readonly Package[] = [
  {
    name: 'nfs-common',
    version: '1:2.6.4-3ubuntu5.1',
    files: { '/usr/sbin/mount.nfs': '\x7fELF true\n', '/etc/nfs.conf': '[general]\n' },
  },
  {
    name: 'open-iscsi',
    version: '2.1.9-3ubuntu5.4',
    files: {
      '/usr/lib/systemd/system/iscsid.service': daemon('iSCSI initiator daemon'),
      '/etc/iscsi/iscsid.conf': 'node.startup = manual\n',
    },
    units: ['iscsid.service'],
    rebuildsInitramfs: true,
  },
  {
    name: 'multipath-tools',
    version: '0.9.4-5ubuntu8',
    files: {
      '/usr/lib/systemd/system/multipathd.service': daemon('Device-Mapper Multipath Device Controller'),
      '/etc/multipath.conf': 'defaults {\n    user_friendly_names yes\n}\n',
    },
    programs: ['multipath', 'multipathd'],
    units: ['multipathd.service'],
  },
  { name: 'lvm2', version: '2.03.16-3ubuntu3.1', rebuildsInitramfs: true },
  {
    name: 'thin-provisioning-tools',
    version: '0.9.0-2ubuntu5.1',
    files: {
      '/usr/sbin/thin_check': '\x7fELF true\n',
      '/usr/share/initramfs-tools/hooks/thin-provisioning-tools': '#!/bin/sh\nexit 0\n',
    },
    rebuildsInitramfs: true,
  },
  headers('6.8.0-60-generic'),
  headers('6.8.0-58-generic'),
  extra('6.8.0-60-generic'),
  extra('6.8.0-58-generic'),
  { name: 'gnupg', version: '2.4.4-2ubuntu17.3' },
  { name: 'git', version: '1:2.43.0-1ubuntu7.3' },
  { name: 'curl', version: '8.5.0-2ubuntu10.6' },
  { name: 'jq', version: '1.7.1-3build1' },
  { name: 'ca-certificates', version: '20240203' },
  { name: 'ipmitool', version: '1.8.19-7' },
  { name: 'pciutils', version: '1:3.10.0-2build1' },
  { name: 'driverctl', version: '0.111-1build1', files: { '/usr/sbin/driverctl': '\x7fELF true\n' } },
  {
    name: 'zfsutils-linux',
    version: '2.2.2-0ubuntu9.2',
    files: { '/etc/zfs/zed.d/zed.rc': '' },
    programs: ['zpool', 'zfs'],
    rebuildsInitramfs: true,
  },
  { name: 'dkms', version: '3.0.11-1ubuntu13', rebuildsInitramfs: true },
  { name: 'drbd-dkms', version: '9.2.12-1ppa1~noble1', depends: ['dkms'], rebuildsInitramfs: true },
  { name: 'kexec-tools', version: '1:2.0.27-1ubuntu1', programs: ['kexec'] },
  ...kernel('6.8.0-62-generic', '6.8.0-62.65', '6.8.0-62.64'),
  ...kernel(LATER_KERNEL.release, '6.8.0-64.67', '6.8.0-64.66').map((entry) => ({
    ...entry,
    pocket: LATER_KERNEL.pocket,
  })),
];

/** By name, the newest of each: what is published comes after what it replaces. */
export function offered(pockets: ReadonlySet<string>): ReadonlyMap<string, Package> {
  const open = PACKAGES.filter(({ pocket }) => pocket === undefined || pockets.has(pocket));
  return new Map(open.map((entry) => [entry.name, entry]));
}

/** Of an archive to which nothing was published since. */
export const MIRROR: ReadonlyMap<string, Package> = offered(new Set());

/** Installed on a fresh host, with versions. */
export const PREINSTALLED: readonly (readonly [name: string, version: string, manual?: boolean])[] = [
  ['base-files', '13ubuntu10.3'],
  ['coreutils', '9.4-3ubuntu6'],
  ['initramfs-tools', '0.142ubuntu25.5'],
  ['initramfs-tools-core', '0.142ubuntu25.5'],
  ['grub-common', '2.12-1ubuntu7.3'],
  ['grub2-common', '2.12-1ubuntu7.3'],
  ['grub-efi-amd64-signed', '1.202.5+2.12-1ubuntu7.3'],
  ['shim-signed', '1.58+15.8-0ubuntu1'],
  ['systemd', '255.4-1ubuntu8.8'],
  ['openssh-server', '1:9.6p1-3ubuntu13.12', true],
  ['ubuntu-server', '1.539.2', true],
  ['linux-generic', '6.8.0-60.60', true],
  ['linux-image-generic', '6.8.0-60.60'],
  ['linux-image-6.8.0-60-generic', '6.8.0-60.63'],
  ['linux-image-6.8.0-58-generic', '6.8.0-58.60'],
  ['linux-modules-6.8.0-60-generic', '6.8.0-60.63'],
  ['linux-modules-6.8.0-58-generic', '6.8.0-58.60'],
  ['linux-firmware', '20240318.git3b128b60-0ubuntu2.12'],
  ['intel-microcode', '3.20250512.0ubuntu0.24.04.1'],
  ['nvidia-driver-580-server-open', '580.95.05-0ubuntu0.24.04.1', true],
  ['nvidia-dkms-580-server-open', '580.95.05-0ubuntu0.24.04.1'],
  ['lvm2', '2.03.16-3ubuntu3.1'],
  ['pciutils', '1:3.10.0-2build1'],
  ['unattended-upgrades', '2.9.1+nmu4ubuntu1'],
  ['curl', '8.5.0-2ubuntu10.6'],
  ['sudo', '1.9.15p5-3ubuntu5'],
];

/** Files whose owner somebody asks for with `dpkg -S`. */
export const FILE_OWNERS: Readonly<Record<string, string>> = {
  '/usr/sbin/update-initramfs': 'initramfs-tools',
  '/usr/sbin/mkinitramfs': 'initramfs-tools-core',
  '/usr/sbin/update-grub': 'grub2-common',
  '/etc/lvm/lvm.conf': 'lvm2',
};
