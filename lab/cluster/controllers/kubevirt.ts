/**
 * KubeVirt 1.8: virt-operator, virt-handler with its device plugin, and VMs that take devices.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { isJson, type ApiObject } from '../api/object.js';
import type { HostDevice } from '../contract.js';
import { conditionsOf, field, isTrue, keyOf, ownedBy, type Controller, type World } from '../world.js';
import { KUBEVIRT_DEFINITIONS } from '../definitions/kubevirt.js';
import type { NodeFacts } from './k3s.js';

const NAMESPACE = 'cozy-kubevirt';
const API = 'kubevirt.io/v1';
/** Where the lab notes which devices a VM has; on a real host they are in the launcher's environment. */
export const DEVICES_ANNOTATION = 'lab.gpu-provision/devices';

export const virtOperator: Controller = {
  name: 'virt-operator',
  async reconcile(world) {
    const kubevirt = world.get(API, 'KubeVirt', 'kubevirt', NAMESPACE);
    if (kubevirt === null) return;
    const phase = field(kubevirt, 'status', 'phase');
    if (phase === undefined) {
      await world.setStatus(kubevirt, { phase: 'Deploying' });
    } else if (phase === 'Deploying') {
      for (const draft of KUBEVIRT_DEFINITIONS) await world.ensure(draft, 'virt-operator');
      await world.setStatus(kubevirt, { phase: 'Deployed', observedKubeVirtVersion: 'v1.8.4' });
    } else if (!isTrue(kubevirt, 'Available')) {
      await world.setCondition(kubevirt, {
        type: 'Available',
        status: 'True',
        reason: 'AllComponentsReady',
        message: 'All components are ready.',
      });
    }
  },
};

/** The DaemonSet's pod on the one node; a deleted one comes back under another name. */
export function virtHandler(node: NodeFacts): Controller {
  return {
    name: 'virt-handler-daemonset',
    async reconcile(world) {
      const kubevirt = world.get(API, 'KubeVirt', 'kubevirt', NAMESPACE);
      if (kubevirt === null || field(kubevirt, 'status', 'phase') !== 'Deployed') return;
      const [pod] = handlerPods(world);
      if (pod === undefined) {
        const suffix = randomBytes(3).toString('hex');
        await world.createOnce(
          {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: {
              name: `virt-handler-${suffix}`,
              namespace: NAMESPACE,
              labels: { 'kubevirt.io': 'virt-handler' },
              ownerReferences: ownedBy(kubevirt),
            },
            spec: {
              nodeName: node.name,
              containers: [{ name: 'virt-handler', image: 'quay.io/kubevirt/virt-handler:v1.8.4' }],
            },
          },
          'daemonset-controller',
        );
      } else if (field(pod, 'status', 'phase') !== 'Running') {
        await world.setStatus(pod, { phase: 'Running', startTime: new Date().toISOString() });
      }
    },
  };
}

export const handlerPods = (world: World): readonly ApiObject[] =>
  world
    .list('v1', 'Pod', NAMESPACE)
    .filter(
      (pod) => pod.metadata.labels?.['kubevirt.io'] === 'virt-handler' && pod.metadata.deletionTimestamp === undefined,
    );

/**
 * virt-handler's device plugin: one device per IOMMU group whose devices are bound to vfio-pci. It looks when virt-handler starts and when
 * the configuration changes. After a restart of the kubelet the fault keeps it at nothing until its pod is another one.
 */
export function devicePlugin(
  node: NodeFacts,
  devices: () => readonly HostDevice[],
  podBefore: () => string | null,
): Controller {
  let seen = '';
  return {
    name: 'device-plugin',
    async reconcile(world) {
      const [pod] = handlerPods(world);
      const object = world.get('v1', 'Node', node.name);
      if (pod === undefined || object === null || field(pod, 'status', 'phase') !== 'Running') return;
      const permitted = permittedDevices(world);
      const now = JSON.stringify([pod.metadata.uid, permitted]);
      if (now === seen) return;
      seen = now;
      const lost =
        pod.metadata.uid === podBefore() && world.fault('allocatable-lost-after-restart', node.name) !== null;
      const offered: Record<string, string> = {};
      for (const { resource, id } of permitted) {
        const groups = new Set(usable(devices(), id).map((device) => device.iommuGroup));
        const fixed = world.fault('allocatable-is', resource)?.value;
        offered[resource] = String(lost ? 0 : (fixed ?? groups.size));
      }
      const before = field(object, 'status', 'allocatable');
      const others = Object.entries(isJson(before) ? before : {}).filter(([name]) => !name.startsWith('nvidia.com/'));
      const all = { ...Object.fromEntries(others), cpu: '192', memory: '2113561Mi', ...offered };
      await world.setStatus(object, { capacity: all, allocatable: all }, 'kubelet');
    },
  };
}

const usable = (devices: readonly HostDevice[], id: string): readonly HostDevice[] =>
  devices.filter((device) => device.id === id && device.driver === 'vfio-pci' && device.iommuGroup !== null);

interface Permitted {
  readonly id: string;
  readonly resource: string;
}

function permittedDevices(world: World): readonly Permitted[] {
  const kubevirt = world.get(API, 'KubeVirt', 'kubevirt', NAMESPACE);
  const list = field(kubevirt, 'spec', 'configuration', 'permittedHostDevices', 'pciHostDevices');
  return (Array.isArray(list) ? list : [])
    .filter(isJson)
    .filter((entry) => entry['externalResourceProvider'] !== true)
    .map((entry) => ({
      id: String(entry['pciVendorSelector']).toLowerCase(),
      resource: String(entry['resourceName']),
    }));
}

/** VirtualMachines that always run, and their instances through scheduling to Running. */
export function virtualMachines(node: NodeFacts, devices: () => readonly HostDevice[]): Controller {
  return {
    name: 'virt-controller',
    async reconcile(world) {
      for (const vm of world.list(API, 'VirtualMachine')) await startInstance(world, vm);
      for (const vmi of world.list(API, 'VirtualMachineInstance'))
        if (vmi.metadata.deletionTimestamp === undefined) await advance(world, vmi, node, devices());
    },
  };
}

async function startInstance(world: World, vm: ApiObject): Promise<void> {
  if (vm.metadata.deletionTimestamp !== undefined) return;
  const template = field(vm, 'spec', 'template', 'spec');
  await world.createOnce(
    {
      apiVersion: API,
      kind: 'VirtualMachineInstance',
      metadata: {
        name: vm.metadata.name,
        namespace: vm.metadata.namespace ?? 'default',
        labels: vm.metadata.labels ?? {},
        ownerReferences: ownedBy(vm),
      },
      spec: isJson(template) ? template : {},
    },
    'virt-controller',
  );
}

async function advance(world: World, vmi: ApiObject, node: NodeFacts, devices: readonly HostDevice[]): Promise<void> {
  const phase = field(vmi, 'status', 'phase');
  if (phase === 'Running' || world.fault('vm-never-starts', keyOf(vmi)) !== null) return;
  if (phase === undefined) {
    await world.setStatus(vmi, { phase: 'Scheduling' });
    return;
  }
  if (phase === 'Scheduled') {
    await world.setCondition(vmi, { type: 'Ready', status: 'True', reason: '', message: '' }, { phase: 'Running' });
    return;
  }
  const taken = take(world, vmi, node, devices);
  if (typeof taken === 'string') {
    await world.setCondition(vmi, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: taken });
    return;
  }
  const annotations = { ...vmi.metadata.annotations, [DEVICES_ANNOTATION]: taken.join(',') };
  const noted = await world.replace({ ...vmi, metadata: { ...vmi.metadata, annotations } }, 'virt-controller');
  const others = conditionsOf(noted).filter((entry) => entry['type'] !== 'PodScheduled');
  await world.setStatus(noted, { phase: 'Scheduled', nodeName: node.name, conditions: others });
}

/** Addresses for every GPU the VM asks for, or the scheduler's reason. */
function take(
  world: World,
  vmi: ApiObject,
  node: NodeFacts,
  devices: readonly HostDevice[],
): readonly string[] | string {
  const object = world.get('v1', 'Node', node.name);
  const gpus = field(vmi, 'spec', 'domain', 'devices', 'gpus');
  const names = (Array.isArray(gpus) ? gpus : []).filter(isJson).map((gpu) => String(gpu['deviceName']));
  if (field(object, 'spec', 'unschedulable') === true) return '0/1 nodes are available: 1 node(s) were unschedulable.';
  const permitted = permittedDevices(world);
  const used = new Set(world.list(API, 'VirtualMachineInstance').flatMap(devicesOf));
  const taken: string[] = [];
  for (const name of names) {
    const entry = permitted.find(({ resource }) => resource === name);
    const total = Number(field(object, 'status', 'allocatable', name) ?? 0);
    const free = entry === undefined ? [] : usable(devices, entry.id).filter((device) => !used.has(device.address));
    const [device] = total === 0 ? [] : free;
    if (device === undefined) return `0/1 nodes are available: 1 Insufficient ${name}.`;
    used.add(device.address);
    taken.push(device.address);
  }
  return taken;
}

/** PCI addresses a VM has on the host. */
export function devicesOf(vmi: ApiObject): readonly string[] {
  return (vmi.metadata.annotations?.[DEVICES_ANNOTATION] ?? '').split(',').filter((address) => address !== '');
}
