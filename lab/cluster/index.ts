/**
 * A simulated k3s cluster: a real kube-apiserver that keeps the objects, and controllers that play what runs in it.
 * @module
 */
import { join } from 'node:path';
import { kubeconfigFor } from './api/pki.js';
import { startControlPlane } from './control-plane.js';
import type { ClusterApi, ClusterApiOptions } from './contract.js';
import { APP_CHARTS, cozystackApi } from './controllers/apps.js';
import { controlPlanes, machines, NESTED_API_PORT, planeBehind } from './controllers/cluster-api.js';
import { cozystackOperator, INSTALLER_CHARTS, PLATFORM_CHARTS } from './controllers/cozystack.js';
import { flux } from './controllers/flux.js';
import { HELM_IMAGE, helmController, helmProgram, kubelet } from './controllers/k3s.js';
import { devicePlugin, handlerPods, virtHandler, virtOperator, virtualMachines } from './controllers/kubevirt.js';
import { gpuOperatorChart } from './controllers/nested.js';
import { deployments, jobs, podEnds } from './controllers/workloads.js';
import { NestedApis } from './nested-clusters.js';
import type { World } from './world.js';

export type { ClusterApi, ClusterApiOptions, ClusterFault, HostDevice } from './contract.js';

/** Starts the API of a host's k3s; it answers, and has its Node, when the promise resolves. Throws ToolUnavailable. */
export async function startClusterApi(options: ClusterApiOptions): Promise<ClusterApi> {
  const { devices, faults = [], folder, pace } = options;
  const node = { name: options.nodeName, ip: options.nodeIP, version: options.version };
  const nested = new NestedApis(join(folder, 'nested'), faults, pace);
  /** uid of the virt-handler pod that an earlier boot left. */
  let handlerBefore: string | null = null;
  const plane = await startControlPlane({
    folder,
    names: ['127.0.0.1', node.ip, '10.43.0.1', 'localhost', 'kubernetes.default.svc'],
    faults,
    pace,
    controllers: ({ port, keepLog }) => [
      kubelet(node, port),
      helmController,
      jobs({
        programs: new Map([[HELM_IMAGE, helmProgram(INSTALLER_CHARTS)]]),
        keepLog,
        needsReadyNode: false,
      }),
      podEnds,
      deployments,
      cozystackOperator,
      flux(
        new Map([...PLATFORM_CHARTS, ...APP_CHARTS, ['gpu-operator', gpuOperatorChart((key) => nested.world(key))]]),
      ),
      cozystackApi,
      virtOperator,
      virtHandler(node),
      devicePlugin(node, devices, () => handlerBefore),
      controlPlanes(nested),
      machines(nested),
      virtualMachines(node, devices),
    ],
    prepare: async (world, { port }) => {
      nested.host = world;
      handlerBefore = handlerPods(world)[0]?.metadata.uid ?? null;
      await forgetInstances(world);
      await kubelet(node, port).reconcile(world);
    },
  });
  return {
    port: plane.port,
    kubeconfig: kubeconfigFor(plane.pki, 'https://127.0.0.1:6443'),
    portBehind: (address, port) => {
      const key = port === NESTED_API_PORT ? planeBehind(plane.world, address) : null;
      return key === null ? null : nested.port(key);
    },
    close: async () => {
      await Promise.all([nested.close(), plane.close()]);
    },
  };
}

/** VMs died with the host; their VirtualMachines start them again. */
async function forgetInstances(world: World): Promise<void> {
  for (const vmi of world.list('kubevirt.io/v1', 'VirtualMachineInstance')) await world.delete(vmi);
}
