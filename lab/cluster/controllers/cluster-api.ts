/**
 * Cluster API with Kamaji and KubeVirt: control planes that bring up a nested API, and machines that are VMs.
 * @module
 */
import { createHash } from 'node:crypto';
import { isJson, type ApiObject } from '../api/object.js';
import { field, isTrue, keyOf, ownedBy, type Controller, type World } from '../world.js';

const CAPI = 'cluster.x-k8s.io/v1beta1';
const KCP = ['controlplane.cluster.x-k8s.io/v1alpha1', 'KamajiControlPlane'] as const;
const CLUSTER_NAME = 'cluster.x-k8s.io/cluster-name';
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
    reconcile(world) {
      const planes = world.list(...KCP).filter((plane) => plane.metadata.deletionTimestamp === undefined);
      for (const plane of planes) reconcilePlane(world, plane, nested);
      nested.keepOnly(planes.map(keyOf));
    },
  };
}

function reconcilePlane(world: World, plane: ApiObject, nested: NestedClusters): void {
  const { name, namespace = 'default' } = plane.metadata;
  if (!isTrue(plane, 'TenantControlPlaneCreated')) {
    world.setCondition(plane, { type: 'TenantControlPlaneCreated', status: 'True', reason: 'Created', message: '' });
    return;
  }
  const kubeconfig = nested.kubeconfig(keyOf(plane));
  if (kubeconfig === null) {
    world.setCondition(plane, {
      type: 'Ready',
      status: 'False',
      reason: 'Provisioning',
      message: 'TenantControlPlane is Provisioning',
    });
    return;
  }
  const owned = { namespace, ownerReferences: ownedBy(plane) };
  const clusterIP = addressOf(keyOf(plane));
  world.ensure(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, ...owned },
      spec: { clusterIP, type: 'ClusterIP', ports: [{ name: 'kube-apiserver', port: NESTED_API_PORT }] },
    },
    'kamaji',
  );
  const text = Buffer.from(kubeconfig).toString('base64');
  world.ensure(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-admin-kubeconfig`, ...owned },
      data: { 'super-admin.svc': text, 'admin.svc': text },
    },
    'kamaji',
  );
  world.ensure(
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, ...owned }, spec: { replicas: 1 } },
    'kamaji',
  );
  if (!isTrue(world.get('apps/v1', 'Deployment', name, namespace), 'Available')) return;
  world.setCondition(plane, { type: 'Ready', status: 'True', reason: 'Ready', message: '' }, { ready: true });
}

export const NESTED_API_PORT = 6443;

/** A ClusterIP in 10.43.0.0/16 that stays the same. */
function addressOf(key: string): string {
  const [a = 0, b = 0] = createHash('sha256').update(key).digest();
  return `10.43.${a}.${1 + (b % 254)}`;
}

/** The control plane whose Service has this address; null when none has. */
export function planeBehind(world: World, address: string): string | null {
  return (
    world
      .list(...KCP)
      .map(keyOf)
      .find((key) => addressOf(key) === address) ?? null
  );
}

export function machines(nested: NestedClusters): Controller {
  return {
    name: 'capi-controller',
    reconcile(world) {
      for (const deployment of world.list(CAPI, 'MachineDeployment'))
        if (deployment.metadata.deletionTimestamp === undefined) scale(world, deployment);
      for (const machine of world.list(CAPI, 'Machine'))
        if (machine.metadata.deletionTimestamp === undefined) reconcileMachine(world, machine, nested);
    },
  };
}

function scale(world: World, deployment: ApiObject): void {
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
    const suffix = createHash('sha256').update(world.store.resourceVersion).digest('hex').slice(0, 5);
    world.createOnce(
      {
        apiVersion: CAPI,
        kind: 'Machine',
        metadata: {
          name: `${name}-${suffix}`,
          namespace,
          labels: { [CLUSTER_NAME]: cluster, [DEPLOYMENT_NAME]: name },
          ownerReferences: ownedBy(deployment),
        },
        spec: { clusterName: cluster, lab: field(deployment, 'spec', 'template', 'spec', 'lab') },
      },
      'capi-controller',
    );
  } else if (mine.length > wanted) {
    // Machines that have not joined go first, then the newest.
    const order = mine.toSorted((a, b) => Number(hasJoined(a)) - Number(hasJoined(b)));
    const [first] = order;
    if (first !== undefined) world.delete(first);
  }
  world.setStatus(deployment, { replicas: mine.length, readyReplicas: mine.filter(hasJoined).length });
}

const hasJoined = (machine: ApiObject): boolean => field(machine, 'status', 'nodeRef') !== undefined;

function reconcileMachine(world: World, machine: ApiObject, nested: NestedClusters): void {
  const { name, namespace = 'default', labels = {} } = machine.metadata;
  const gpus = field(machine, 'spec', 'lab', 'gpus');
  world.createOnce(
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
                gpus: (Array.isArray(gpus) ? gpus : [])
                  .filter(isJson)
                  .map((gpu, index) => ({ name: `gpu${index}`, deviceName: gpu['name'] })),
              },
            },
          },
        },
      },
    },
    'capk-controller',
  );
  const key = `${namespace}/${labels[CLUSTER_NAME] ?? ''}`;
  world.setStatus(
    machine,
    nested.hasNode(key, name)
      ? { phase: 'Running', nodeRef: { apiVersion: 'v1', kind: 'Node', name } }
      : { phase: 'Provisioning' },
  );
}
