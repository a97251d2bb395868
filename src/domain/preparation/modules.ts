/**
 * Kernel modules that must be there before the platform starts, now and at every boot.
 * @module
 */

export const MODULES_LOAD_PATH = '/etc/modules-load.d/gpu-provision.conf';

/** CNI and services (br_netfilter before the sysctls of its name exist), and KubeVirt's guests. */
const REQUIRED = ['br_netfilter', 'geneve', 'ip_tables', 'iptable_nat', 'vhost_net', 'tun'] as const;

/** Asked for at boot only where they exist: a name that cannot be loaded makes systemd-modules-load fail at every boot. */
export const OPTIONAL_MODULES = ['overlay', 'openvswitch', 'zfs'] as const;

/** By the CPU's flag for it, which is missing when the firmware has switched virtualisation off. */
const KVM = { vmx: 'kvm_intel', svm: 'kvm_amd' } as const;

/** The module that makes this CPU run guests; null when it can't. `flags`: a flags line of /proc/cpuinfo. */
export function kvmModule(flags: string): string | null {
  const words = flags.split(/\s+/);
  if (words.includes('vmx')) return KVM.vmx;
  return words.includes('svm') ? KVM.svm : null;
}

/** Module names. `loadable`: those of the optional ones that exist. */
export function wantedModules(kvm: string, loadable: readonly string[]): readonly string[] {
  return [...REQUIRED, kvm, ...OPTIONAL_MODULES.filter((name) => loadable.includes(name))];
}

export function renderModulesLoad(modules: readonly string[]): string {
  return `# Written by gpu-provision.\n${modules.join('\n')}\n`;
}
