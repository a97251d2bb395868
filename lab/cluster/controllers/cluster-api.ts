/**
 * Cluster API with Kamaji and KubeVirt: control planes that bring up a nested API, and machines that are VMs.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { ApiObject } from '../api/object.js';
import { deploymentSpec } from './workloads.js';
import { field, isTrue, keyOf, ownedBy, textField, type Controller, type World } from '../world.js';

const CAPI = 'cluster.x-k8s.io/v1beta1';
const KCP = ['controlplane.cluster.x-k8s.io/v1alpha1', 'KamajiControlPlane'] as const;
const CLUSTER_NAME = 'cluster.x-k8s.io/cluster-name';
/** Resource names, separated by a space: what a real machine's infrastructureRef leads to. */
export const GPUS_ANNOTATION = 'lab.gpu-provision/gpus';
const DEPLOYMENT_NAME = 'cluster.x-k8s.io/deployment-name';

/** What control planes need of the lab: nested APIs by `NAMESPACE/NAME`, started when first asked for. */
export interface NestedClusters {
  /** null while it starts. The kubeconfig is for use inside the host cluster. */
  kubeconfig(key: string): string | null;
  hasNode(key: string, name: string): boolean;
  /** Stops those that are not named. */
  keepOnly(keys: readonly string[]): void;
}

export function controlPlanes(nested: NestedClusters): Controller {
  return {
    name: 'capi-kamaji-controller',
    async reconcile(world) {
      const planes = world.list(...KCP).filter((plane) => plane.metadata.deletionTimestamp === undefined);
      for (const plane of planes) await reconcilePlane(world, plane, nested);
      nested.keepOnly(planes.map(keyOf));
    },
  };
}

async function reconcilePlane(world: World, plane: ApiObject, nested: NestedClusters): Promise<void> {
  const { name, namespace = 'default' } = plane.metadata;
  if (!isTrue(plane, 'TenantControlPlaneCreated')) {
    const condition = { type: 'TenantControlPlaneCreated', status: 'True', reason: 'Created', message: '' } as const;
    await world.setCondition(plane, condition, { ready: false });
    return;
  }
  const kubeconfig = nested.kubeconfig(keyOf(plane));
  if (kubeconfig === null) {
    await world.setCondition(plane, {
      type: 'Ready',
      status: 'False',
      reason: 'Provisioning',
      message: 'TenantControlPlane is Provisioning',
    });
    return;
  }
  const owned = { namespace, ownerReferences: ownedBy(plane) };
  await world.ensure(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, ...owned },
      spec: { type: 'ClusterIP', ports: [{ name: 'kube-apiserver', port: NESTED_API_PORT }] },
    },
    'kamaji',
  );
  const text = Buffer.from(kubeconfig).toString('base64');
  await world.ensure(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-admin-kubeconfig`, ...owned },
      data: { 'super-admin.svc': text, 'admin.svc': text },
    },
    'kamaji',
  );
  await world.ensure(
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, ...owned }, spec: deploymentSpec(name) },
    'kamaji',
  );
  if (!isTrue(world.get('apps/v1', 'Deployment', name, namespace), 'Available')) return;
  await world.setCondition(plane, { type: 'Ready', status: 'True', reason: 'Ready', message: '' }, { ready: true });
}

export const NESTED_API_PORT = 6443;

/** The control plane whose Service has this address; null when none has. */
export function planeBehind(world: World, address: string): string | null {
  const service = world.list('v1', 'Service').find((object) => field(object, 'spec', 'clusterIP') === address);
  const planes = world.list(...KCP).map(keyOf);
  return service !== undefined && planes.includes(keyOf(service)) ? keyOf(service) : null;
}

export function machines(nested: NestedClusters): Controller {
  return {
    name: 'capi-controller',
    async reconcile(world) {
      for (const deployment of world.list(CAPI, 'MachineDeployment'))
        if (deployment.metadata.deletionTimestamp === undefined) await scale(world, deployment);
      for (const machine of world.list(CAPI, 'Machine'))
        if (machine.metadata.deletionTimestamp === undefined) await reconcileMachine(world, machine, nested);
    },
  };
}

async function scale(world: World, deployment: ApiObject): Promise<void> {
  const { name, namespace = 'default' } = deployment.metadata;
  const cluster = String(field(deployment, 'spec', 'clusterName'));
  // Nothing is made before there is a control plane to join.
  if (!isTrue(world.get(...KCP, cluster, namespace), 'Ready')) return;
  const wanted = Number(field(deployment, 'spec', 'replicas') ?? 1);
  const mine = world
    .list(CAPI, 'Machine', namespace)
    .filter((machine) => machine.metadata.labels?.[DEPLOYMENT_NAME] === name)
    .filter((machine) => machine.metadata.deletionTimestamp === undefined);
  if (mine.length < wanted) {
    const suffix = randomBytes(3).toString('hex');
    const gpus = textField('', deployment, 'spec', 'template', 'metadata', 'annotations', GPUS_ANNOTATION);
    await world.createOnce(
      {
        apiVersion: CAPI,
        kind: 'Machine',
        metadata: {
          name: `${name}-${suffix}`,
          namespace,
          labels: { [CLUSTER_NAME]: cluster, [DEPLOYMENT_NAME]: name },
          annotations: { [GPUS_ANNOTATION]: gpus },
          ownerReferences: ownedBy(deployment),
        },
        spec: { clusterName: cluster, bootstrap: {}, infrastructureRef: {} },
      },
      'capi-controller',
    );
  } else if (mine.length > wanted) {
    // Machines that have not joined go first, then the newest.
    const order = mine.toSorted((a, b) => Number(hasJoined(a)) - Number(hasJoined(b)));
    const [first] = order;
    if (first !== undefined) await world.delete(first);
  }
  await world.setStatus(deployment, { replicas: mine.length, readyReplicas: mine.filter(hasJoined).length });
}

const hasJoined = (machine: ApiObject): boolean => field(machine, 'status', 'nodeRef') !== undefined;

async function reconcileMachine(world: World, machine: ApiObject, nested: NestedClusters): Promise<void> {
  const { name, namespace = 'default', labels = {} } = machine.metadata;
  const gpus = (machine.metadata.annotations?.[GPUS_ANNOTATION] ?? '').split(' ').filter((gpu) => gpu !== '');
  await world.createOnce(
    {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      metadata: { name, namespace, labels: { ...labels, 'kubevirt.io/vm': name }, ownerReferences: ownedBy(machine) },
      spec: {
        runStrategy: 'Always',
        template: {
          spec: {
            domain: {
              devices: {
                gpus: gpus.map((deviceName, index) => ({ name: `gpu${index}`, deviceName })),
              },
            },
          },
        },
      },
    },
    'capk-controller',
  );
  const key = `${namespace}/${labels[CLUSTER_NAME] ?? ''}`;
  await world.setStatus(
    machine,
    nested.hasNode(key, name)
      ? { phase: 'Running', nodeRef: { apiVersion: 'v1', kind: 'Node', name } }
      : { phase: 'Provisioning' },
  );
}
