/** What the reboot would stop, and what is there already and must not be replaced. */
import type { Workloads } from '../../cluster/workloads.js';
import { bad, good, listed, plural, type Check } from '../check.js';
import type { HostFacts } from '../facts.js';

const KINDS = [
  { id: 'workloads.vm', of: 'vms', one: 'VM', many: 'VMs' },
  { id: 'workloads.gpu-process', of: 'gpuProcesses', one: 'process', many: 'processes' },
  { id: 'workloads.pod', of: 'foreignPods', one: 'foreign pod', many: 'foreign pods' },
] as const satisfies readonly { id: string; of: keyof Workloads; one: string; many: string }[];

const where: Readonly<Record<keyof Workloads, string>> = {
  vms: 'here',
  gpuProcesses: 'on a GPU',
  foreignPods: 'here',
};

/** Flags of k3s that the platform relies on: the CNI, the service addresses and the domain cannot be changed later. */
export const K3S_FIXED: Readonly<Record<string, string>> = {
  'cluster-cidr': '10.42.0.0/16',
  'service-cidr': '10.43.0.0/16',
  'cluster-domain': 'cozy.local',
  'flannel-backend': 'none',
  'disable-kube-proxy': 'true',
  'disable-network-policy': 'true',
};

/** Fixed flags that the config of a k3s contradicts: `cluster-cidr is 10.244.0.0/16`. */
export function k3sConflicts(config: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(K3S_FIXED).flatMap(([flag, wanted]) => {
    const value = config[flag];
    const shown =
      typeof value === 'string' || typeof value === 'boolean' ? String(value) : (JSON.stringify(value) ?? 'not set');
    return shown === wanted ? [] : [`${flag} is ${shown}, not ${wanted}`];
  });
}

export const WORKLOAD_CHECKS: readonly Check[] = [
  ...KINDS.map(({ id, of, one, many }): Check => ({
    id,
    fails: (facts, spec) => (facts.workloads.known && spec.workloads === 'stop' ? 'warn' : 'block'),
    forReboot: true,
    evaluate: ({ workloads }) => {
      if (!workloads.known) return bad(`${many} cannot be told: ${workloads.problem}`);
      const running = workloads.value[of];
      if (running.length === 0) return good(`no ${one} ${where[of]}`);
      return bad(
        `${plural(running.length, one, many)} ${running.length === 1 ? 'runs' : 'run'} ${where[of]}: ${listed(running)}`,
        { count: running.length },
      );
    },
    remedy: (facts, spec) =>
      facts.workloads.known
        ? `stop or move them, or set  servers.${spec.name}.workloads: stop`
        : 'make them readable first: nobody can approve a reboot without knowing what it stops',
  })),
  {
    id: 'k3s.version',
    fails: 'block',
    evaluate: ({ system }, spec) => {
      const wanted = spec.cluster.k3s.version;
      if (system.k3sVersion === null) return good(`no k3s yet; ${wanted} will be installed`);
      return system.k3sVersion === wanted
        ? good(`k3s ${wanted} is there`)
        : bad(`k3s ${system.k3sVersion} is there, the inventory says ${wanted}`);
    },
    remedy: (_, spec) =>
      `set clusters.${spec.cluster.name}.k3s.version to what is there, or upgrade k3s first: it is never replaced`,
  },
  {
    id: 'k3s.config',
    fails: 'block',
    evaluate: ({ system, k3sConfig }) => k3sFinding(system.k3sService, k3sConfig),
    remedy: 'these cannot be changed in a running cluster; uninstall k3s (k3s-uninstall.sh) or use another host',
  },
];

function k3sFinding(service: boolean, config: HostFacts['k3sConfig']): ReturnType<typeof good> {
  if (!service) return good('no k3s service yet');
  if (config === null) return bad('k3s runs without /etc/rancher/k3s/config.yaml: its flags cannot be compared');
  if (!config.known) return bad(config.problem);
  const conflicts = k3sConflicts(config.value);
  return conflicts.length === 0 ? good('the flags of k3s are those of the platform') : bad(`k3s: ${listed(conflicts)}`);
}
