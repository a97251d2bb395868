/**
 * Kernel parameters of a platform node.
 * Source: Cozystack's install guide for generic hosts. Left out: fs.file-max, which systemd sets to the highest possible value at boot and the
 * guide's 2097152 would lower.
 * @module
 */

/** Sorts after 99-sysctl.conf, the last of Ubuntu's own: what is read last wins at boot. */
export const SYSCTL_PATH = '/etc/sysctl.d/99-zz-gpu-provision.conf';

export const SYSCTLS: Readonly<Record<string, string>> = {
  // The guide asks for 524288 at least; hosts with much memory have this value already and keep it.
  'fs.inotify.max_user_watches': '1048576',
  'fs.inotify.max_user_instances': '8192',
  'fs.inotify.max_queued_events': '65536',
  'fs.aio-max-nr': '1048576',
  'net.ipv4.ip_forward': '1',
  'net.ipv4.conf.all.forwarding': '1',
  'net.ipv6.conf.all.forwarding': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'vm.swappiness': '1',
};

export function renderSysctl(): string {
  const lines = Object.entries(SYSCTLS).map(([key, value]) => `${key} = ${value}`);
  return `# Written by gpu-provision.\n${lines.join('\n')}\n`;
}

/** Output of `sysctl KEY…`, lines `KEY = VALUE`, without those that the kernel does not know: what differs from what is wanted. */
export function sysctlProblems(output: string): readonly string[] {
  const values = new Map(output.split('\n').map((line) => [line.split('=')[0]?.trim(), line.split('=')[1]?.trim()]));
  return Object.entries(SYSCTLS).flatMap(([key, wanted]) => {
    const value = values.get(key) ?? 'unknown';
    return value === wanted ? [] : [`${key} is ${value}, not ${wanted}`];
  });
}
