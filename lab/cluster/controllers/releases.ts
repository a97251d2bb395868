/**
 * The Packages of the platform and the HelmRelease each of them generates: a dozen of the eighty, with their true namespaces and an order
 * that has the same shape.
 * @module
 */
import { APPLICATION_DEFINITIONS } from '../definitions/apps.js';
import { CLUSTER_API_DEFINITIONS } from '../definitions/cluster-api.js';
import { KUBEVIRT_OPERATOR_DEFINITIONS } from '../definitions/kubevirt.js';
import { isTrue, field } from '../world.js';
import type { Chart, Release } from './flux.js';

export interface PlatformPart {
  /** Name of the Package; its one component has the same name without `cozystack.`. */
  readonly package: string;
  readonly namespace: string;
  readonly dependsOn: readonly string[];
  readonly chart: Chart;
}

const nothing: Chart = () => null;

/** Deployments of a chart; Helm waits until they are available. */
const deploys =
  (...names: readonly string[]): Chart =>
  async (release) => {
    let waiting = 0;
    for (const name of names) if (!isTrue(await release.deployment(name), 'Available')) waiting += 1;
    return waiting === 0 ? null : `waiting for ${waiting} Deployments`;
  };

export const PLATFORM_PARTS: readonly PlatformPart[] = [
  { package: 'cozystack.cilium', namespace: 'cozy-cilium', dependsOn: [], chart: cilium },
  { package: 'cozystack.kubeovn', namespace: 'cozy-kubeovn', dependsOn: ['cozy-cilium/cilium'], chart: nothing },
  {
    package: 'cozystack.cert-manager',
    namespace: 'cozy-cert-manager',
    dependsOn: ['cozy-kubeovn/kubeovn'],
    chart: deploys('cert-manager', 'cert-manager-webhook'),
  },
  {
    package: 'cozystack.piraeus-operator',
    namespace: 'cozy-linstor',
    dependsOn: ['cozy-cert-manager/cert-manager'],
    chart: deploys('piraeus-operator-controller-manager'),
  },
  {
    package: 'cozystack.linstor',
    namespace: 'cozy-linstor',
    dependsOn: ['cozy-linstor/piraeus-operator'],
    chart: deploys('linstor-controller'),
  },
  {
    package: 'cozystack.etcd-operator',
    namespace: 'cozy-etcd-operator',
    dependsOn: ['cozy-cert-manager/cert-manager'],
    chart: deploys('etcd-operator-controller-manager'),
  },
  {
    package: 'cozystack.kubevirt-operator',
    namespace: 'cozy-kubevirt',
    dependsOn: ['cozy-kubeovn/kubeovn'],
    chart: kubevirtOperator,
  },
  {
    package: 'cozystack.kubevirt',
    namespace: 'cozy-kubevirt',
    dependsOn: ['cozy-kubevirt/kubevirt-operator'],
    chart: kubevirt,
  },
  {
    package: 'cozystack.kubevirt-cdi',
    namespace: 'cozy-kubevirt-cdi',
    dependsOn: ['cozy-kubevirt/kubevirt-operator'],
    chart: deploys('cdi-deployment'),
  },
  {
    package: 'cozystack.capi-operator',
    namespace: 'cozy-cluster-api',
    dependsOn: ['cozy-cert-manager/cert-manager'],
    chart: deploys('capi-operator-cluster-api-operator'),
  },
  {
    package: 'cozystack.capi-providers',
    namespace: 'cozy-cluster-api',
    dependsOn: ['cozy-cluster-api/capi-operator'],
    chart: clusterApi,
  },
  {
    package: 'cozystack.kamaji',
    namespace: 'cozy-kamaji',
    dependsOn: ['cozy-cert-manager/cert-manager'],
    chart: deploys('kamaji'),
  },
  {
    package: 'cozystack.cozystack-api',
    namespace: 'cozy-system',
    dependsOn: ['cozy-cert-manager/cert-manager'],
    chart: cozystackApi,
  },
  {
    package: 'cozystack.cozystack-controller',
    namespace: 'cozy-system',
    dependsOn: ['cozy-system/cozystack-api'],
    chart: deploys('cozystack-controller'),
  },
  {
    package: 'cozystack.dashboard',
    namespace: 'cozy-dashboard',
    dependsOn: ['cozy-system/cozystack-controller'],
    chart: deploys('incloud-web-web'),
  },
];

export const componentOf = (part: PlatformPart): string => part.package.replace(/^cozystack\./, '');
export const releaseKeyOf = (part: PlatformPart): string => `${part.namespace}/${componentOf(part)}`;

/** Without kube-proxy Cilium finds the API only by the address that the platform derives from its endpoint. */
async function cilium(release: Release): Promise<string | null> {
  const platform = release.world.get('cozystack.io/v1alpha1', 'Package', 'cozystack.cozystack-platform');
  const endpoint = field(platform, 'spec', 'components', 'platform', 'values', 'publishing', 'apiServerEndpoint');
  if (typeof endpoint !== 'string' || !/^https:\/\/[^:]+:\d+$/.test(endpoint))
    return "waiting for: [DaemonSet/cozy-cilium/cilium status: 'InProgress']";
  return deploys('cilium-operator')(release);
}

async function kubevirtOperator(release: Release): Promise<string | null> {
  for (const draft of KUBEVIRT_OPERATOR_DEFINITIONS) await release.world.ensure(draft, 'helm-controller');
  return deploys('virt-operator')(release);
}

/** Ready as soon as the object is there: whether KubeVirt is deployed is another question. */
async function kubevirt(release: Release): Promise<string | null> {
  const permittedHostDevices = field(release.values, 'permittedHostDevices');
  await release.ensure({
    apiVersion: 'kubevirt.io/v1',
    kind: 'KubeVirt',
    metadata: { name: 'kubevirt', namespace: release.namespace },
    spec: {
      configuration: {
        developerConfiguration: {
          featureGates: [
            'HotplugVolumes',
            'ExpandDisks',
            'LiveMigration',
            'AutoResourceLimitsGate',
            'CPUManager',
            'GPU',
          ],
        },
        ...(permittedHostDevices === undefined ? {} : { permittedHostDevices }),
      },
      customizeComponents: {},
    },
  });
  return null;
}

async function clusterApi(release: Release): Promise<string | null> {
  for (const draft of CLUSTER_API_DEFINITIONS) await release.world.ensure(draft, 'capi-operator');
  return deploys(
    'capi-controller-manager',
    'capi-kamaji-controller-manager',
    'capi-kubeadm-bootstrap-controller-manager',
    'capk-controller-manager',
  )(release);
}

/** Its two API groups. There they are served by an aggregated API server; here by definitions, to which Kubernetes gives APIServices too. */
async function cozystackApi(release: Release): Promise<string | null> {
  const waiting = await deploys('cozystack-api')(release);
  if (waiting !== null) return waiting;
  for (const draft of APPLICATION_DEFINITIONS) await release.world.ensure(draft, 'cozystack-api');
  return null;
}
