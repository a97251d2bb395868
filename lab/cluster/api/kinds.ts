/**
 * Which kinds the API serves. The built-in ones are a table; the others come and go with the CustomResourceDefinitions and APIServices
 * that are stored, as on a real server: asking for a kind whose CRD is not there yet is a 404.
 * @module
 */
import { isJson, type ApiObject } from './object.js';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Whether `/status` is written apart from the rest. */
  readonly status: boolean;
}

const kind = (
  apiVersion: string,
  name: string,
  plural: string,
  scope: 'namespaced' | 'cluster',
  status = true,
): Kind => {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return {
    group: group ?? '',
    version: version ?? '',
    kind: name,
    plural,
    namespaced: scope === 'namespaced',
    status,
  };
};

export const BUILT_IN: readonly Kind[] = [
  kind('v1', 'Namespace', 'namespaces', 'cluster'),
  kind('v1', 'Node', 'nodes', 'cluster'),
  kind('v1', 'Pod', 'pods', 'namespaced'),
  kind('v1', 'Secret', 'secrets', 'namespaced', false),
  kind('v1', 'ConfigMap', 'configmaps', 'namespaced', false),
  kind('v1', 'Service', 'services', 'namespaced'),
  kind('v1', 'Event', 'events', 'namespaced', false),
  kind('apps/v1', 'Deployment', 'deployments', 'namespaced'),
  kind('apps/v1', 'DaemonSet', 'daemonsets', 'namespaced'),
  kind('apps/v1', 'StatefulSet', 'statefulsets', 'namespaced'),
  kind('batch/v1', 'Job', 'jobs', 'namespaced'),
  kind('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', 'cluster'),
  kind('apiregistration.k8s.io/v1', 'APIService', 'apiservices', 'cluster'),
  kind('storage.k8s.io/v1', 'StorageClass', 'storageclasses', 'cluster', false),
];

/** What cozystack-api serves once its APIService is there; these have no CRD. */
export const AGGREGATED: readonly Kind[] = [
  kind('apps.cozystack.io/v1alpha1', 'Tenant', 'tenants', 'namespaced'),
  kind('apps.cozystack.io/v1alpha1', 'Kubernetes', 'kuberneteses', 'namespaced'),
];

export const apiVersionOf = (k: { readonly group: string; readonly version: string }): string =>
  k.group === '' ? k.version : `${k.group}/${k.version}`;

/** The kinds that a stored CRD defines. */
export function kindsOfDefinition(crd: ApiObject): readonly Kind[] {
  const spec = isJson(crd['spec']) ? crd['spec'] : {};
  const names = isJson(spec['names']) ? spec['names'] : {};
  const versions = Array.isArray(spec['versions']) ? spec['versions'].filter(isJson) : [];
  return versions
    .filter((version) => version['served'] !== false)
    .map((version) => ({
      group: String(spec['group']),
      version: String(version['name']),
      kind: String(names['kind']),
      plural: String(names['plural']),
      namespaced: spec['scope'] === 'Namespaced',
      status: isJson(version['subresources']) && 'status' in version['subresources'],
    }));
}
