import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import type { NestedSpec, ServerSpec } from '../spec.js';
import type { KubeObject } from './objects.js';
import { gpusOfOthers, provingClusters, temporaryCluster } from './temporary-cluster.js';

const MAIN: NestedSpec = {
  name: 'main',
  tenant: 'workload',
  nodes: 1,
  cpu: 56,
  memory: '512Gi',
  disk: '200Gi',
  gpusPerNode: 2,
};

function spec(acceptance: 'nested' | 'all', ...nested: readonly NestedSpec[]): ServerSpec {
  return serverSpec({ cluster: { ...serverSpec().cluster, acceptance, nested } });
}

describe('the temporary cluster', () => {
  it.each([
    [6, 20, '64Gi', [MAIN]],
    [3, 14, '40Gi', [MAIN, { ...MAIN, name: 'other', nodes: 3, gpusPerNode: 1 }]],
    [8, 24, '80Gi', []],
  ])('is one VM with the %s GPUs that are left over, sized by their number', (gpus, cpu, memory, nested) => {
    expect(temporaryCluster(spec('all', ...nested))).toEqual({
      tenant: 'gpuprovision',
      name: 'acceptance',
      nodes: 1,
      cpu,
      memory,
      disk: '100Gi',
      gpusPerNode: gpus,
    });
  });

  it('is not made where nobody asks for it, and where nothing is left over', () => {
    expect(temporaryCluster(spec('nested', MAIN))).toBeNull();
    expect(temporaryCluster(spec('all', { ...MAIN, nodes: 4 }))).toBeNull();
  });

  it('proves together with the others', () => {
    expect(provingClusters(spec('all', MAIN)).map(({ name }) => name)).toEqual(['main', 'acceptance']);
    expect(provingClusters(spec('nested', MAIN))).toEqual([MAIN]);
  });
});

describe('GPUs that others have', () => {
  const vm = (namespace: string, name: string, gpus: readonly string[], phase = 'Running'): KubeObject => ({
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name, namespace },
    spec: { domain: { devices: { gpus: gpus.map((deviceName) => ({ deviceName })) } } },
    status: { phase },
  });
  const H100 = 'nvidia.com/H100_SXM5_80GB';

  it('are those of running VMs outside of the nested clusters and the temporary one', () => {
    expect(
      gpusOfOthers(spec('all', MAIN), [
        vm('tenant-workload', 'kubernetes-main-md0-abc12-x', [H100, H100]),
        vm('tenant-gpuprovision', 'kubernetes-acceptance-md0-x', [H100]),
        vm('tenant-a', 'kubernetes-main-md0-x', [H100, H100]),
        vm('tenant-workload', 'trainer', [H100]),
        vm('tenant-workload', 'done', [H100], 'Succeeded'),
        vm('tenant-workload', 'other-card', ['nvidia.com/L40S']),
        vm('tenant-workload', 'plain', []),
      ]),
    ).toEqual([
      { vm: 'VirtualMachineInstance tenant-a/kubernetes-main-md0-x', gpus: 2 },
      { vm: 'VirtualMachineInstance tenant-workload/trainer', gpus: 1 },
    ]);
  });
});
