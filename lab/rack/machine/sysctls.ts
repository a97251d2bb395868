/**
 * Kernel parameters of a fresh Ubuntu 24.04 that somebody reads or sets. What is not here doesn't exist, as with a typo.
 * @module
 */

export const DEFAULT_SYSCTLS: readonly (readonly [string, string])[] = [
  ['kernel.panic', '0'],
  ['kernel.panic_on_oops', '0'],
  ['kernel.hostname', 'localhost'],
  ['kernel.osrelease', '6.8.0-60-generic'],
  ['kernel.pid_max', '4194304'],
  ['kernel.keys.maxkeys', '200'],
  ['kernel.keys.root_maxkeys', '1000000'],
  ['kernel.keys.root_maxbytes', '25000000'],
  ['kernel.hung_task_timeout_secs', '120'],
  ['kernel.sysrq', '176'],
  ['vm.overcommit_memory', '0'],
  ['vm.panic_on_oom', '0'],
  ['vm.max_map_count', '1048576'],
  ['vm.swappiness', '60'],
  ['vm.nr_hugepages', '0'],
  ['vm.vfs_cache_pressure', '100'],
  ['fs.inotify.max_user_watches', '495616'],
  ['fs.inotify.max_user_instances', '128'],
  ['fs.inotify.max_queued_events', '16384'],
  ['fs.file-max', '9223372036854775807'],
  ['fs.nr_open', '1048576'],
  ['fs.aio-max-nr', '65536'],
  ['net.core.somaxconn', '4096'],
  ['net.core.netdev_max_backlog', '1000'],
  ['net.core.default_qdisc', 'fq_codel'],
  ['net.core.rmem_max', '212992'],
  ['net.core.wmem_max', '212992'],
  ['net.ipv4.ip_forward', '0'],
  ['net.ipv4.ip_local_port_range', '32768 60999'],
  ['net.ipv4.conf.all.forwarding', '0'],
  ['net.ipv4.conf.all.rp_filter', '2'],
  ['net.ipv4.conf.default.rp_filter', '2'],
  ['net.ipv4.tcp_congestion_control', 'cubic'],
  ['net.ipv4.tcp_keepalive_time', '7200'],
  ['net.ipv4.neigh.default.gc_thresh1', '128'],
  ['net.ipv4.neigh.default.gc_thresh2', '512'],
  ['net.ipv4.neigh.default.gc_thresh3', '1024'],
  ['net.ipv6.conf.all.forwarding', '0'],
  ['net.ipv6.conf.all.disable_ipv6', '0'],
  ['net.ipv6.conf.default.forwarding', '0'],
];

/** These appear with a module: br_netfilter and nf_conntrack. */
export const MODULE_SYSCTLS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  br_netfilter: [
    ['net.bridge.bridge-nf-call-iptables', '1'],
    ['net.bridge.bridge-nf-call-ip6tables', '1'],
    ['net.bridge.bridge-nf-call-arptables', '1'],
  ],
  nf_conntrack: [['net.netfilter.nf_conntrack_max', '262144']],
};
