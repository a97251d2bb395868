/**
 * Packages a node of the platform needs, beyond what k3s and the platform bring themselves.
 * Source: Cozystack's install guide for generic hosts, and the superset its Ansible playbooks install.
 * @module
 */

export interface WantedPackage {
  readonly name: string;
  /** What is missing without it. */
  readonly why: string;
}

/** `kernel` as `uname -r` says: headers and extra modules must be those of the kernel that runs. */
export function wantedPackages(kernel: string): readonly WantedPackage[] {
  return [
    { name: 'nfs-common', why: 'NFS volumes cannot be mounted' },
    { name: 'open-iscsi', why: 'iSCSI volumes cannot be attached' },
    { name: 'multipath-tools', why: 'storage drivers expect multipathd' },
    { name: 'lvm2', why: 'LINSTOR pools on LVM' },
    { name: 'thin-provisioning-tools', why: 'thin pools on LVM cannot be checked or repaired' },
    { name: 'zfsutils-linux', why: 'LINSTOR pools on ZFS' },
    { name: `linux-headers-${kernel}`, why: 'DRBD is compiled against them' },
    { name: `linux-modules-extra-${kernel}`, why: 'geneve, which the CNI tunnels through' },
    { name: 'gnupg', why: 'apt cannot check signatures of added sources' },
    { name: 'pciutils', why: 'no second opinion on the drivers of the GPUs' },
  ];
}

export const APT_MIRROR_LIST = '/etc/apt/sources.list.d/gpu-provision.list';

/** apt sources of a site with its own copy of the Ubuntu archive. */
export function renderAptMirror(url: string): string {
  const source = `deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] ${url}`;
  return ['noble', 'noble-updates', 'noble-security']
    .map((suite) => `${source} ${suite} main restricted universe\n`)
    .join('');
}

/** Lines `PACKAGE<tab>STATUS` of dpkg-query, status as db:Status-Abbrev: names that are installed. */
export function installedPackages(output: string): ReadonlySet<string> {
  const names = output
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([, status]) => status?.startsWith('ii') === true)
    .map(([name]) => name ?? '');
  return new Set(names);
}
