/**
 * Kernel modules that must be there before the platform starts, now and at every boot.
 * @module
 */

export const MODULES_LOAD_PATH = '/etc/modules-load.d/gpu-provision.conf';

/** CNI and services (br_netfilter before the sysctls of its name exist), and KubeVirt's guests. */
const REQUIRED = ['br_netfilter', 'geneve', 'ip_tables', 'iptable_nat', 'vhost_net', 'tun'] as const;

/** Asked for at boot only where they exist: a name that cannot be loaded makes systemd-modules-load fail at every boot. */
export const OPTIONAL_MODULES = ['overlay', 'openvswitch', 'zfs'] as const;

const KVM: Readonly<Record<string, string>> = { GenuineIntel: 'kvm_intel', AuthenticAMD: 'kvm_amd' };

/** Module names; null when /proc/cpuinfo names no vendor that KVM knows. `loadable`: those of the optional ones that exist. */
export function wantedModules(cpuinfo: string, loadable: readonly string[]): readonly string[] | null {
  const vendor = /^vendor_id\s*:\s*(\S+)/m.exec(cpuinfo)?.[1] ?? '';
  const kvm = KVM[vendor];
  return kvm === undefined ? null : [...REQUIRED, kvm, ...OPTIONAL_MODULES.filter((name) => loadable.includes(name))];
}

export function renderModulesLoad(modules: readonly string[]): string {
  return `# Written by gpu-provision.\n${modules.join('\n')}\n`;
}
