/**
 * A simulated k3s cluster: a real Kubernetes API over TLS that stores and reads back objects, and controllers that play what runs in it.
 * @module
 */
import { kubeconfigFor, loadOrCreatePki, storePki } from './api/pki.js';
import { startApiServer } from './api/server.js';
import { ObjectStore } from './api/store.js';
import type { ClusterApi, ClusterApiOptions } from './contract.js';
import { APP_CHARTS, cozystackApi } from './controllers/apps.js';
import { controlPlanes, machines, NESTED_API_PORT, planeBehind } from './controllers/cluster-api.js';
import { cozystackOperator, INSTALLER_CHARTS, PLATFORM_CHARTS } from './controllers/cozystack.js';
import { establishDefinitions } from './controllers/definitions.js';
import { flux } from './controllers/flux.js';
import { garbageCollector } from './controllers/garbage.js';
import { HELM_IMAGE, helmController, helmProgram, kubelet } from './controllers/k3s.js';
import { devicePlugin, virtHandler, virtOperator, virtualMachines } from './controllers/kubevirt.js';
import { gpuOperatorChart } from './controllers/nested.js';
import { deployments, jobs } from './controllers/workloads.js';
import { NestedApis } from './nested-clusters.js';
import { World } from './world.js';

export type { ClusterApi, ClusterApiOptions, ClusterFault, HostDevice, StoredObjects } from './contract.js';

/** Starts the API of a host's k3s; it answers, and has its Node, when the promise resolves. */
export async function startClusterApi(options: ClusterApiOptions): Promise<ClusterApi> {
  const { devices, faults = [], stored } = options;
  const node = { name: options.nodeName, ip: options.nodeIP, version: options.version };
  const pki = await loadOrCreatePki(stored, ['127.0.0.1', node.ip, '10.43.0.1', 'localhost', 'kubernetes.default.svc']);
  const store = new ObjectStore(stored);
  const podBefore = handlerPodOf(store);
  forgetInstances(store);
  const logs = new Map<string, string>();
  const nested = new NestedApis(stored, faults, () => world);
  const world: World = new World(
    store,
    [
      establishDefinitions,
      kubelet(node),
      helmController,
      jobs({
        programs: new Map([[HELM_IMAGE, helmProgram(INSTALLER_CHARTS)]]),
        keepLog: (pod, log) => logs.set(`${pod.metadata.namespace}/${pod.metadata.name}`, log),
        needsReadyNode: false,
      }),
      deployments,
      cozystackOperator,
      flux(
        new Map([...PLATFORM_CHARTS, ...APP_CHARTS, ['gpu-operator', gpuOperatorChart((key) => nested.world(key))]]),
      ),
      cozystackApi,
      virtOperator,
      virtHandler(node),
      devicePlugin(node, devices, podBefore),
      controlPlanes(nested),
      machines(nested),
      virtualMachines(node, devices),
      garbageCollector,
    ],
    faults,
  );
  kubelet(node).reconcile(world);
  const server = await startApiServer({
    store,
    pki,
    version: node.version,
    podLog: (namespace, name) => logs.get(`${namespace}/${name}`) ?? null,
  });
  world.wake();
  return {
    port: server.port,
    kubeconfig: kubeconfigFor(pki, 'https://127.0.0.1:6443'),
    stored: () => {
      const all = store.dump();
      storePki(all, pki);
      nested.storeInto(all);
      return all;
    },
    portBehind: (address, port) => {
      const plane = port === NESTED_API_PORT ? planeBehind(world, address) : null;
      return plane === null ? null : nested.port(plane);
    },
    close: async () => {
      world.stop();
      await Promise.all([server.close(), nested.close()]);
    },
  };
}

/** uid of the virt-handler pod that an earlier boot left. */
function handlerPodOf(store: ObjectStore): string | null {
  const pod = store
    .list(store.resource('', 'v1', 'pods'), 'cozy-kubevirt')
    .find((candidate) => candidate.metadata.labels?.['kubevirt.io'] === 'virt-handler');
  return pod?.metadata.uid ?? null;
}

/** VMs died with the host; their VirtualMachines start them again. */
function forgetInstances(store: ObjectStore): void {
  const kind = store.kind('kubevirt.io/v1', 'VirtualMachineInstance');
  if (kind !== null) for (const vmi of store.list(kind, null)) store.remove(kind, vmi);
}
