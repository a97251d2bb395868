/**
 * What happens inside a nested cluster: its nodes are the VMs that run, the GPU Operator makes them offer their GPUs, and jobs use them.
 * @module
 */
import { createHash } from 'node:crypto';
import type { ApiObject } from '../api/object.js';
import { field, isTrue, keyOf, textField, type Controller, type World } from '../world.js';
import { GPU_OPERATOR_DEFINITIONS } from '../definitions/gpu-operator.js';
import { LOG_ADDRESS } from '../kubelet-api.js';
import type { Chart, Release } from './flux.js';
import { devicesOf } from './kubevirt.js';
import { containerOf, type Program } from './workloads.js';

const CLUSTER_NAME = 'cluster.x-k8s.io/cluster-name';
const RESOURCE = 'nvidia.com/gpu';
const POLICY = ['nvidia.com/v1', 'ClusterPolicy', 'cluster-policy'] as const;

/** VMs of one nested cluster (`NAMESPACE/NAME`) in the host cluster. */
export type VmsOf = () => readonly ApiObject[];

export const vmsOf =
  (host: World, key: string): VmsOf =>
  () =>
    host
      .list('kubevirt.io/v1', 'VirtualMachineInstance')
      .filter((vmi) => `${vmi.metadata.namespace}/${vmi.metadata.labels?.[CLUSTER_NAME]}` === key);

/** kubeadm joins a VM that runs; a Node whose VM is gone is removed by the cloud controller. */
export function nestedNodes(vms: VmsOf, logPort: number): Controller {
  return {
    name: 'nested-kubelets',
    async reconcile(world) {
      const running = vms().filter((vmi) => field(vmi, 'status', 'phase') === 'Running');
      for (const { metadata } of running) await joinNode(world, metadata.name, logPort);
      const names = new Set(running.map((vmi) => vmi.metadata.name));
      for (const node of world.list('v1', 'Node')) if (!names.has(node.metadata.name)) await world.delete(node);
    },
  };
}

async function joinNode(world: World, name: string, logPort: number): Promise<void> {
  const node = world.get('v1', 'Node', name);
  if (node === null) {
    await world.ensure({ apiVersion: 'v1', kind: 'Node', metadata: { name } }, 'kubelet');
    return;
  }
  await world.setStatus(node, {
    addresses: [{ type: 'Hostname', address: name }, LOG_ADDRESS],
    daemonEndpoints: { kubeletEndpoint: { Port: logPort } },
  });
  if (field(node, 'status', 'conditions') === undefined) {
    await world.setCondition(node, {
      type: 'Ready',
      status: 'False',
      reason: 'KubeletNotReady',
      message: 'cni plugin not initialized',
    });
  } else if (!isTrue(node, 'Ready')) {
    await world.setCondition(node, { type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' });
  }
}

/**
 * The GPU Operator. Its chart brings the ClusterPolicy; a node is labelled first, then its driver is built, then it offers its GPUs. The
 * policy says ready also when there is no node at all.
 */
export function gpuOperator(vms: VmsOf): Controller {
  return {
    name: 'gpu-operator',
    async reconcile(world) {
      const policy = world.get(...POLICY);
      if (policy === null) return;
      const nodes = world.list('v1', 'Node').filter((node) => isTrue(node, 'Ready'));
      for (const node of nodes) {
        const vm = vms().find((vmi) => vmi.metadata.name === node.metadata.name);
        if (vm !== undefined) await equip(world, node, devicesOf(vm).length);
      }
      const ready = nodes.every((node) => field(node, 'status', 'allocatable', RESOURCE) !== undefined);
      await world.setStatus(policy, { state: ready ? 'ready' : 'notReady' });
    },
  };
}

async function equip(world: World, node: ApiObject, gpus: number): Promise<void> {
  if (world.fault('nested-node-without-gpus', node.metadata.name) !== null) return;
  const stage = node.metadata.labels?.['nvidia.com/gpu.deploy.driver'];
  const label = (value: string): Promise<ApiObject> =>
    world.ensure(
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name: node.metadata.name,
          labels: { 'nvidia.com/gpu.present': 'true', 'nvidia.com/gpu.deploy.driver': value },
        },
      },
      'gpu-operator',
    );
  if (stage !== 'true') {
    await label(stage === undefined ? 'building' : 'true');
    return;
  }
  const amount = { [RESOURCE]: String(gpus) };
  await world.setStatus(node, { capacity: amount, allocatable: amount }, 'kubelet');
}

/**
 * The release of the GPU Operator in the host cluster. Helm waits for the ClusterPolicy; a driver that builds longer than the release's
 * timeout makes Helm uninstall everything and start over.
 */
export function gpuOperatorChart(nested: (key: string) => World | null): Chart {
  return async (release: Release) => {
    const cluster = `${release.namespace}/${release.object.metadata.labels?.[CLUSTER_NAME] ?? ''}`;
    const world = nested(cluster);
    if (world === null) return 'waiting for the nested API';
    for (const draft of GPU_OPERATOR_DEFINITIONS) await world.ensure(draft, 'helm-controller');
    const policy = await world.ensure(
      { apiVersion: POLICY[0], kind: POLICY[1], metadata: { name: POLICY[2] }, spec: {} },
      'helm',
    );
    const slow = release.world.fault('slow-driver-build', keyOf(release.object)) !== null;
    if (slow && minutes(textField('5m', release.object, 'spec', 'timeout')) < DRIVER_BUILD_MINUTES) {
      await world.delete(policy);
      return 'Helm uninstall succeeded after: context deadline exceeded, ClusterPolicy status is InProgress';
    }
    return field(policy, 'status', 'state') === 'ready' ? null : "waiting for: [ClusterPolicy status: 'InProgress']";
  };
}

const DRIVER_BUILD_MINUTES = 20;
const minutes = (duration: string): number => Number.parseInt(duration, 10);

/** Figures of a healthy H100 SXM5 in a VM, as measured. */
const HEALTHY = { copy_GBps: 3016.2, bf16_TFLOPS: 777.9, h2d_GBps: 53.2, d2h_GBps: 53.4 };
const SLOW_COPY_GBPS = 1_480;

/** Plays the acceptance program on the devices of the pod's VM. */
export function acceptanceProgram(vms: VmsOf): Program {
  return (world, pod, node) => {
    const job = pod.metadata.labels?.['job-name'] ?? '';
    if (world.strike('gpu-job-fails-802', job)) {
      const message = 'Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized';
      return { exitCode: 3, log: `${JSON.stringify({ error: { code: 802, message } })}\n` };
    }
    const vm = vms().find((vmi) => vmi.metadata.name === node.metadata.name);
    const wanted = Number(field(containerOf(pod), 'resources', 'limits', RESOURCE) ?? 0);
    const devices = vm === undefined ? [] : devicesOf(vm).slice(0, wanted);
    const lines: object[] = devices.map((address, gpu) => ({
      gpu,
      uuid: uuidOf(address),
      name: 'NVIDIA H100 80GB HBM3',
      memory_GiB: 79.2,
      ...HEALTHY,
      ...(gpu === 0 && world.fault('gpu-job-slow', job) !== null ? { copy_GBps: SLOW_COPY_GBPS } : {}),
      right: true,
    }));
    for (let second = 1; second < devices.length; second += 1) lines.push({ peer: [0, second], GBps: 41.7 });
    return { exitCode: 0, log: lines.map((line) => `${JSON.stringify(line)}\n`).join('') };
  };
}

function uuidOf(address: string): string {
  const hex = createHash('sha256').update(address).digest('hex');
  return `GPU-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
