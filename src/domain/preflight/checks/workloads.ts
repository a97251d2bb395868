/** What the reboot would stop, and what is there already and must not be replaced. */
import { k3sConflicts } from '../../cluster/k3s.js';
import type { Workloads } from '../../cluster/workloads.js';
import type { PhaseName } from '../../run/phases.js';
import type { ServerSpec } from '../../spec.js';
import { bad, good, listed, plural, type Check } from '../check.js';

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

/** Phases that make something in the cluster. */
const clusterPhases = ({ cluster }: ServerSpec): readonly PhaseName[] => [
  'cozystack',
  'kubevirt',
  'nested-cluster',
  ...(cluster.acceptance === 'all' ? ['acceptance' as const] : []),
];

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
    id: 'k3s.settings',
    fails: 'block',
    evaluate: ({ k3s }, spec) => {
      if (!k3s.known) return bad(k3s.problem);
      const conflicts = k3sConflicts(spec, k3s.value);
      if (conflicts.length > 0) return bad(listed(conflicts), { version: k3s.value.version });
      return good(
        k3s.value.version === null
          ? 'no k3s yet'
          : `k3s ${k3s.value.version} is there, set up as the platform wants it`,
      );
    },
    remedy: (_, spec) =>
      `say in clusters.${spec.cluster.name}.k3s what is there, or uninstall it (k3s-uninstall.sh): it is never replaced`,
  },
  {
    id: 'cluster.objects',
    fails: 'block',
    evaluate: ({ phases, clusterConflicts }, spec) => {
      if (!clusterPhases(spec).some((phase) => phases.includes(phase)))
        return good(`phases 5 to ${4 + clusterPhases(spec).length} are not to be run`);
      if (!clusterConflicts.known) return bad(`what is in the cluster cannot be told: ${clusterConflicts.problem}`);
      return clusterConflicts.value.length === 0
        ? good('nothing in the cluster stands in the way')
        : bad(clusterConflicts.value.join('; '), { count: clusterConflicts.value.length });
    },
    remedy:
      'say in the inventory what is there, or take it away by hand: what others made, and what cannot be changed in place, is never replaced',
  },
];
