import { describe, expect, it } from 'vitest';
import type { KubeObject } from './objects.js';
import { foreignPodsOn, gpuProcesses, otherGuests, vmsOn, workloads } from './workloads.js';

const pod = (namespace: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { nodeName: 'h100-01' },
  status: { phase: 'Running' },
  ...more,
});

describe('foreign pods', () => {
  it('are those that neither k3s nor the platform brought', () => {
    const pods = [
      pod('kube-system', 'coredns'),
      pod('cozy-linstor', 'linstor-controller'),
      pod('tenant-root', 'etcd-0'),
      pod('shop', 'web-1'),
      pod('tenant-workload', 'virt-launcher-db', {
        metadata: {
          name: 'virt-launcher-db',
          namespace: 'tenant-workload',
          labels: { 'kubevirt.io': 'virt-launcher' },
        },
      }),
    ];
    expect(foreignPodsOn(pods, 'h100-01')).toEqual(['shop/web-1']);
  });

  it('are not those that are over, elsewhere or not scheduled', () => {
    const pods = [
      pod('shop', 'done', { status: { phase: 'Succeeded' } }),
      pod('shop', 'other', { spec: { nodeName: 'h100-02' } }),
      pod('shop', 'pending', { spec: {} }),
    ];
    expect(foreignPodsOn(pods, 'h100-01')).toEqual([]);
  });
});

describe('VMs', () => {
  it('of the API run where their status says', () => {
    const vmi = {
      ...pod('tenant-a', 'db-0'),
      kind: 'VirtualMachineInstance',
      status: { phase: 'Running', nodeName: 'h100-01' },
    };
    expect(vmsOn([vmi], 'h100-01')).toEqual(['tenant-a/db-0']);
    expect(vmsOn([vmi], 'h100-02')).toEqual([]);
  });

  it('beside the API are found by their QEMU, once', () => {
    const pgrep = [
      '101 /usr/libexec/qemu-kvm -name guest=tenant-a_db-0,debug-threads=on -S',
      '102 qemu-system-x86_64 -name builder -m 4096',
      '103 qemu-system-x86_64 -m 512',
    ].join('\n');
    expect(otherGuests(pgrep, ['tenant-a/db-0'])).toEqual(['qemu builder (pid 102)', 'qemu without a name (pid 103)']);
  });
});

describe('GPU processes', () => {
  it('are holders of a GPU but for the daemons of the driver and the VMs', () => {
    const lines = '7 nvidia-persiste\n8 python3\n8 python3\n9 qemu-kvm\n10 qemu-system-x86\n11 nv-hostengine\n';
    expect(gpuProcesses(lines)).toEqual(['python3 (pid 8)']);
  });
});

it('workloads are sorted and named once', () => {
  expect(workloads({ vms: ['b', 'a', 'b'], gpuProcesses: [], foreignPods: [] }).vms).toEqual(['a', 'b']);
});
