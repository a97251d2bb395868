/**
 * A nested cluster: the tenant and `Kubernetes` app as Cozystack 1.5 takes them, and what holds one up.
 * @module
 */
import type { GpuSpec, NestedSpec } from '../spec.js';
import { allocatable } from './node.js';
import { condition, exists, firstShut, reasonOf, type Gate } from './gates.js';
import { conditionOf, countAt, hasCondition, listAt, nameOf, textAt, type KubeObject } from './objects.js';

const APPS = 'apps.cozystack.io/v1alpha1';
/**
 * Must be `md0`: the chart's default group of that name is merged in, so any other name gives an extra group of two VMs.
 */
const NODE_GROUP = 'md0';
/** Minor version; the app picks the patch. */
const NESTED_VERSION = 'v1.35';
const STORAGE_CLASS = 'replicated';
/** In-VM driver builds take longer than the chart's 10 min, and Helm would uninstall and start over. */
export const GPU_OPERATOR_TIMEOUT = '40m';
export const NESTED_GPU_RESOURCE = 'nvidia.com/gpu';

/** What its objects are called by. */
export type NestedName = Pick<NestedSpec, 'tenant' | 'name'>;

export const tenantNamespace = (nested: NestedName): string => `tenant-${nested.tenant}`;
/** Name that everything of the app has in the host cluster. */
export const releaseName = (nested: NestedName): string => `kubernetes-${nested.name}`;

interface NamespacedRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const inTenant = (nested: NestedName, apiVersion: string, kind: string, suffix = ''): NamespacedRef => ({
  apiVersion,
  kind,
  namespace: tenantNamespace(nested),
  name: `${releaseName(nested)}${suffix}`,
});

/** The tenant: an object of its parent. */
export const tenantRef = (nested: NestedName): NamespacedRef => ({
  apiVersion: APPS,
  kind: 'Tenant',
  namespace: 'tenant-root',
  name: nested.tenant,
});
export const appRef = (nested: NestedName): NamespacedRef => ({
  apiVersion: APPS,
  kind: 'Kubernetes',
  namespace: tenantNamespace(nested),
  name: nested.name,
});
/** Rendered instead of everything else when no tenant above has etcd; the app then says Ready. */
export const awaitingEtcdRef = (nested: NestedSpec): NamespacedRef =>
  inTenant(nested, 'v1', 'ConfigMap', '-awaiting-etcd');
export const controlPlaneRef = (nested: NestedSpec): NamespacedRef =>
  inTenant(nested, 'controlplane.cluster.x-k8s.io/v1alpha1', 'KamajiControlPlane');
export const machineDeploymentRef = (nested: NestedName): NamespacedRef =>
  inTenant(nested, 'cluster.x-k8s.io/v1beta1', 'MachineDeployment', `-${NODE_GROUP}`);
export const gpuOperatorReleaseRef = (nested: NestedSpec): NamespacedRef =>
  inTenant(nested, 'helm.toolkit.fluxcd.io/v2', 'HelmRelease', '-gpu-operator');

/** Finds a nested cluster's Machines; its VMs have the same names. */
export const clusterNameSelector = (nested: NestedSpec): string =>
  `cluster.x-k8s.io/cluster-name=${releaseName(nested)}`;

/** Where the nested cluster's administrator is, for use from the host: the address inside the cluster. */
export const kubeconfigOf = (nested: NestedSpec): { namespace: string; secret: string; key: string } => ({
  namespace: tenantNamespace(nested),
  secret: `${releaseName(nested)}-admin-kubeconfig`,
  key: 'super-admin.svc',
});

/** No quota: it would put a memory limit on the VMs, and pinning memory for VFIO then kills them. */
export function tenantObject(nested: NestedSpec): KubeObject {
  const { apiVersion, kind, namespace, name } = tenantRef(nested);
  return { apiVersion, kind, metadata: { name, namespace }, spec: {} };
}

export function kubernetesApp(nested: NestedSpec, gpus: GpuSpec): KubeObject {
  const { apiVersion, kind, namespace, name } = appRef(nested);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec: {
      version: NESTED_VERSION,
      storageClass: STORAGE_CLASS,
      controlPlane: { replicas: 1 },
      nodeGroups: {
        [NODE_GROUP]: {
          // Equal, and not 0: the autoscaler deletes an idle GPU node within a minute.
          minReplicas: nested.nodes,
          maxReplicas: nested.nodes,
          diskSize: nested.disk,
          roles: [],
          resources: { cpu: String(nested.cpu), memory: nested.memory },
          gpus: Array.from({ length: nested.gpusPerNode }, () => ({ name: gpus.resource })),
        },
      },
      addons: { gpuOperator: { enabled: true, valuesOverride: {} } },
    },
  };
}

/** Fields of the app that cannot be changed on a cluster that is there. */
export const APP_FIXED_FIELDS = /^spec\.(version|storageClass)$/;

export interface NestedObjects {
  readonly awaitingEtcd: KubeObject | null;
  readonly controlPlane: KubeObject | null;
  readonly machineDeployment: KubeObject | null;
  readonly machines: readonly KubeObject[];
  readonly vmis: readonly KubeObject[];
}

/** What must exist before the size can be set. */
export function renderedGate(
  nested: NestedSpec,
  found: Pick<NestedObjects, 'awaitingEtcd' | 'machineDeployment'> & { readonly gpuOperator: KubeObject | null },
): Gate {
  return firstShut([
    found.awaitingEtcd === null ? null : etcdMissing(nested, found.awaitingEtcd),
    exists(found.machineDeployment, `MachineDeployment ${machineDeploymentRef(nested).name}`),
    exists(found.gpuOperator, `HelmRelease ${gpuOperatorReleaseRef(nested).name}`),
  ]);
}

const etcdMissing = (nested: NestedSpec, configMap: KubeObject): string =>
  `${nameOf(configMap)} exists: no tenant above ${nested.tenant} has etcd, so nothing of the cluster is rendered although it says Ready`;

/** What holds the VMs up, from the control plane down to the scheduler's reason. */
export function vmsGate(nested: NestedSpec, found: NestedObjects): Gate {
  const { controlPlane, machineDeployment, machines, vmis } = found;
  const running = vmis.filter((vmi) => textAt(vmi, 'status', 'phase') === 'Running').length;
  return firstShut([
    found.awaitingEtcd === null ? null : etcdMissing(nested, found.awaitingEtcd),
    condition(controlPlane, 'TenantControlPlaneCreated', `KamajiControlPlane ${releaseName(nested)}`),
    condition(controlPlane, 'Ready', `KamajiControlPlane ${releaseName(nested)}`),
    exists(machineDeployment, `MachineDeployment ${machineDeploymentRef(nested).name}`),
    machines.length === nested.nodes
      ? null
      : `MachineDeployment ${machineDeploymentRef(nested).name} has ${machines.length} Machines, ${nested.nodes} wanted`,
    running < nested.nodes ? `${running} of ${nested.nodes} VMs run; ${vmis.map(vmState).join('; ')}` : null,
  ]);
}

/** `VirtualMachineInstance ns/name is Scheduling: Unschedulable, 0/1 nodes are available …`. */
function vmState(vmi: KubeObject): string {
  const phase = textAt(vmi, 'status', 'phase') ?? 'not started';
  const scheduled = conditionOf(vmi, 'PodScheduled') ?? conditionOf(vmi, 'Ready');
  const why =
    phase === 'Running' || scheduled === null || scheduled.status === 'True' ? '' : `: ${reasonOf(scheduled)}`;
  return `${nameOf(vmi)} is ${phase}${why}`;
}

/** Nested nodes there and Ready. */
export function nodesGate(nested: NestedSpec, nodes: readonly KubeObject[]): Gate {
  const ready = nodes.filter((node) => hasCondition(node, 'Ready'));
  if (ready.length >= nested.nodes) return null;
  const waiting = nodes.filter((node) => !hasCondition(node, 'Ready'));
  const why = waiting.map((node) => `${nameOf(node)}: ${reasonOf(conditionOf(node, 'Ready'))}`);
  const nobody = `the VMs of MachineDeployment ${machineDeploymentRef(nested).name} run, and no other node has joined`;
  return `${ready.length} of ${nested.nodes} nested nodes are Ready; ${why.length === 0 ? nobody : why.join('; ')}`;
}

/**
 * Every nested node offers its GPUs. ClusterPolicy is only a reason in the message: it says ready with no GPU node at all.
 */
export function gpusGate(
  nested: NestedSpec,
  nodes: readonly KubeObject[],
  release: KubeObject | null,
  clusterPolicy: KubeObject | null,
): Gate {
  const short = nodes.filter((node) => allocatable(node, NESTED_GPU_RESOURCE) !== nested.gpusPerNode);
  if (short.length === 0 && nodes.length >= nested.nodes) return null;
  const first = short[0];
  const count =
    first === undefined
      ? `${nodes.length} of ${nested.nodes} nested nodes`
      : `${nameOf(first)} offers ${allocatable(first, NESTED_GPU_RESOURCE)} of ${nested.gpusPerNode} ${NESTED_GPU_RESOURCE}`;
  const reasons = [
    condition(release, 'Ready', `HelmRelease ${releaseName(nested)}-gpu-operator`),
    clusterPolicy === null
      ? 'ClusterPolicy does not exist yet'
      : `ClusterPolicy is ${textAt(clusterPolicy, 'status', 'state') ?? 'without a state'}`,
  ];
  return `${count}; ${reasons.filter((reason) => reason !== null).join('; ')}`;
}

/** Total of GPUs that nested clusters are to have. */
export const gpusWanted = (clusters: readonly NestedSpec[]): number =>
  clusters.reduce((sum, { nodes, gpusPerNode }) => sum + nodes * gpusPerNode, 0);

/** Total of GPUs the nested nodes offer. */
export const gpusOffered = (nodes: readonly KubeObject[]): number =>
  nodes.reduce((sum, node) => sum + allocatable(node, NESTED_GPU_RESOURCE), 0);

/** GPUs of one node of the app as it is. */
export const gpusOfApp = (app: KubeObject): number => listAt(app, 'spec', 'nodeGroups', NODE_GROUP, 'gpus').length;

/** VMs have the names of their Machines, those begin with that of the MachineDeployment; labels stay on the VirtualMachine. */
export const isVmOf = (nested: NestedName, { metadata: { name, namespace } }: KubeObject): boolean =>
  namespace === tenantNamespace(nested) && name.startsWith(`${machineDeploymentRef(nested).name}-`);

export const replicasOf = (machineDeployment: KubeObject): number | null =>
  countAt(machineDeployment, 'spec', 'replicas');
