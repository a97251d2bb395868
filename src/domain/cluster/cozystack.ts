/**
 * The objects that install Cozystack 1.5 on a generic k3s.
 * @module
 */
import type { ServerSpec } from '../spec.js';
import { POD_CIDR, POD_GATEWAY, SERVICE_CIDR } from './k3s.js';
import { textAt, type KubeObject } from './objects.js';
import { platformRegistries, type RegistryMirrors } from './registries.js';

export const OPERATOR_NAMESPACE = 'cozy-system';
const CHARTS = 'oci://ghcr.io/cozystack/cozystack';
/** Installs the operator. */
export const OPERATOR_CHART = 'cozy-installer';
/** What the operator installs the platform from. */
const PLATFORM_PACKAGES = 'cozystack-packages';
export const PLATFORM_PACKAGE = 'cozystack.cozystack-platform';
export const PLATFORM_VARIANT = 'isp-full-generic';
/** Cozystack's default network between its subnets; must not overlap with pods and services. */
const JOIN_CIDR = '100.64.0.0/16';
/** k3s serves its API here. */
const API_PORT = 6443;

export const HELM_CHART_REF = {
  apiVersion: 'helm.cattle.io/v1',
  kind: 'HelmChart',
  // Where k3s keeps its own charts; its Helm controller looks into every namespace.
  namespace: 'kube-system',
  name: 'cozy-installer',
} as const;
/** The Job that k3s's Helm controller makes of the chart. */
export const HELM_JOB_NAME = `helm-install-${HELM_CHART_REF.name}`;
export const OPERATOR_REF = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: OPERATOR_NAMESPACE,
  name: 'cozystack-operator',
} as const;
export const PACKAGE_REF = { apiVersion: 'cozystack.io/v1alpha1', kind: 'Package', name: PLATFORM_PACKAGE } as const;
export const PACKAGE_SOURCE_REF = { ...PACKAGE_REF, kind: 'PackageSource' } as const;
export const ROOT_TENANT_REF = {
  apiVersion: 'apps.cozystack.io/v1alpha1',
  kind: 'Tenant',
  namespace: 'tenant-root',
  name: 'root',
} as const;

/** Why a version cannot be installed by these phases; null when it can. */
export function unsupportedCozystack(version: string): string | null {
  if (/^1\.5\.\d+$/.test(version)) return null;
  if (/^1\.[6-9]\.|^1\.\d\d+\.|^[2-9]/.test(version))
    return `Cozystack ${version} runs nested nodes on Talos, where the GPU Operator addon brings up no driver (cozystack#3563); 1.5.4 is the last that does`;
  return `Cozystack ${version} is not a 1.5 release such as 1.5.4 (without v)`;
}

/** Where a chart is: charts are not images, so mirrors of container registries don't count for them. */
export const chartSource = ({ mirrors }: ServerSpec, name: string): string =>
  `${(mirrors.charts ?? CHARTS).replace(/\/+$/, '')}/${name}`;

/**
 * k3s's own Helm controller installs the chart, so neither host nor worker needs a helm binary. `bootstrap` makes its Job tolerate a
 * node without network and talk to 127.0.0.1:6443: without kube-proxy the API's ClusterIP works only once Cilium is there.
 */
export function operatorChart(spec: ServerSpec): KubeObject {
  const { namespace, name, apiVersion, kind } = HELM_CHART_REF;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec: {
      chart: chartSource(spec, OPERATOR_CHART),
      version: spec.cluster.cozystack.version,
      targetNamespace: OPERATOR_NAMESPACE,
      createNamespace: true,
      bootstrap: true,
      valuesContent: `cozystackOperator:
  variant: generic
${platformSource(spec)}cozystack:
  apiServerHost: ${JSON.stringify(spec.nodeIP)}
  apiServerPort: ${API_PORT}
`,
    },
  };
}

/** The chart pins the packages by digest, which a copy has too. */
const platformSource = (spec: ServerSpec): string =>
  spec.mirrors.charts === null ? '' : `  platformSourceUrl: ${JSON.stringify(chartSource(spec, PLATFORM_PACKAGES))}\n`;

/**
 * The platform. `publishing.apiServerEndpoint` is always set: the variant derives Cilium's API address from it, and without it the CNI
 * never comes up.
 */
export function platformPackage(spec: ServerSpec, mirrors: RegistryMirrors): KubeObject {
  const { host, externalIPs } = spec.cluster.cozystack;
  return {
    ...PACKAGE_TYPE,
    metadata: { name: PLATFORM_PACKAGE },
    spec: {
      variant: PLATFORM_VARIANT,
      components: {
        platform: {
          values: {
            networking: {
              podCIDR: POD_CIDR,
              podGateway: POD_GATEWAY,
              serviceCIDR: SERVICE_CIDR,
              joinCIDR: JOIN_CIDR,
              kubeovn: { MASTER_NODES: spec.nodeIP },
            },
            publishing: {
              host,
              apiServerEndpoint: `https://${spec.nodeIP}:${API_PORT}`,
              externalIPs: [...externalIPs],
            },
            ...platformRegistries(mirrors),
          },
        },
      },
    },
  };
}

const PACKAGE_TYPE = { apiVersion: PACKAGE_REF.apiVersion, kind: PACKAGE_REF.kind } as const;

/** Fields of the Package that cannot be changed on a cluster that runs. */
export const PACKAGE_FIXED_FIELDS = /^spec\.(variant|components\.platform\.values\.networking\b)/;

/**
 * The root tenant's settings. etcd is not optional: without it on the tenant or above, a nested cluster renders nothing and still says
 * that it is ready.
 */
export function rootTenantPatch(spec: ServerSpec): { readonly spec: Readonly<Record<string, unknown>> } {
  return { spec: { host: spec.cluster.cozystack.host, etcd: true, ingress: true } };
}

/** On the root tenant, which the platform makes: the run that gave it its settings. */
export const CONFIGURED_BY = 'gpu-provision/configured-by';

/** Why the root tenant must not get our settings: somebody publishes it elsewhere. null when nobody has, or a run of ours. */
export function rootTenantConflict(tenant: KubeObject, wantedHost: string): string | null {
  const host = textAt(tenant, 'spec', 'host') ?? '';
  if (host === '' || host === wantedHost || tenant.metadata.labels?.[CONFIGURED_BY] !== undefined) return null;
  return `Tenant tenant-root/root is published at ${host}, and not by gpu-provision; the inventory wants ${wantedHost}`;
}
