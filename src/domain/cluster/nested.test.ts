import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import { gpusGate, kubernetesApp, nodesGate, vmsGate, type NestedObjects } from './nested.js';
import type { KubeObject } from './objects.js';

const NESTED = { name: 'main', tenant: 'workload', nodes: 1, cpu: 56, memory: '512Gi', disk: '200Gi', gpusPerNode: 2 };

const object = (kind: string, name: string, status: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'tenant-workload' },
  status,
});
const ready = {
  conditions: [
    { type: 'Ready', status: 'True' },
    { type: 'TenantControlPlaneCreated', status: 'True' },
  ],
};
const vmi = (status: object): KubeObject => object('VirtualMachineInstance', 'kubernetes-main-md0-x', status);
const RUNNING: NestedObjects = {
  awaitingEtcd: null,
  controlPlane: object('KamajiControlPlane', 'kubernetes-main', ready),
  machineDeployment: object('MachineDeployment', 'kubernetes-main-md0', {}),
  machines: [object('Machine', 'kubernetes-main-md0-x', {})],
  vmis: [vmi({ phase: 'Running' })],
};

describe('the Kubernetes app', () => {
  it('has one entry per GPU, a fixed size and the driver addon', () => {
    expect(kubernetesApp(NESTED, serverSpec().gpus)['spec']).toMatchObject({
      nodeGroups: {
        md0: {
          minReplicas: 1,
          maxReplicas: 1,
          resources: { cpu: '56', memory: '512Gi' },
          gpus: [{ name: 'nvidia.com/H100_SXM5_80GB' }, { name: 'nvidia.com/H100_SXM5_80GB' }],
        },
      },
      addons: { gpuOperator: { enabled: true } },
    });
  });
});

describe('what holds the VMs of a nested cluster up', () => {
  it('is nothing when they run', () => {
    expect(vmsGate(NESTED, RUNNING)).toBeNull();
  });

  it.each<[string, Partial<NestedObjects>, RegExp]>([
    [
      'no etcd',
      { awaitingEtcd: object('ConfigMap', 'kubernetes-main-awaiting-etcd', {}) },
      /no tenant above workload has etcd/,
    ],
    ['the control plane', { controlPlane: null }, /^KamajiControlPlane kubernetes-main does not exist yet/],
    [
      'the hard-coded second machine',
      { machines: [...RUNNING.machines, object('Machine', 'y', {})] },
      /^MachineDeployment kubernetes-main-md0 has 2 Machines, 1 wanted/,
    ],
    [
      'the scheduler',
      {
        vmis: [
          vmi({
            phase: 'Scheduling',
            conditions: [
              { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'Insufficient nvidia.com/X' },
            ],
          }),
        ],
      },
      /is Scheduling: Unschedulable, Insufficient nvidia.com\/X/,
    ],
  ])('is %s', (_case, change, text) => {
    expect(vmsGate(NESTED, { ...RUNNING, ...change })).toMatch(text);
  });
});

describe('nested nodes', () => {
  const node = (gpus: string | null, status = 'True'): KubeObject =>
    object('Node', 'n1', {
      conditions: [{ type: 'Ready', status, reason: 'KubeletNotReady', message: 'cni' }],
      allocatable: gpus === null ? {} : { 'nvidia.com/gpu': gpus },
    });
  const policy = object('ClusterPolicy', 'cluster-policy', { state: 'ready' });

  it('that are not Ready are named with their reason', () => {
    expect(nodesGate(NESTED, [node(null, 'False')])).toBe(
      '0 of 1 nested nodes are Ready; Node tenant-workload/n1: KubeletNotReady, cni',
    );
  });

  it('are not done because the ClusterPolicy says ready', () => {
    expect(gpusGate(NESTED, [node(null)], null, policy)).toMatch(
      /offers 0 of 2 nvidia.com\/gpu; .*ClusterPolicy is ready$/,
    );
    expect(gpusGate(NESTED, [], null, policy)).toMatch(/^0 of 1 nested nodes/);
    expect(gpusGate(NESTED, [node('2')], null, policy)).toBeNull();
  });
});
