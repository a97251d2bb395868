/**
 * The kinds that the lab's controllers read and write, and their places in the API.
 * @module
 */
import { APPLICATION_DEFINITIONS } from '../definitions/apps.js';
import { CLUSTER_API_DEFINITIONS } from '../definitions/cluster-api.js';
import { OPERATOR_DEFINITIONS } from '../definitions/cozystack.js';
import { GPU_OPERATOR_DEFINITIONS } from '../definitions/gpu-operator.js';
import { K3S_DEFINITIONS } from '../definitions/k3s.js';
import { KUBEVIRT_DEFINITIONS, KUBEVIRT_OPERATOR_DEFINITIONS } from '../definitions/kubevirt.js';
import { definedNames } from '../definitions/schema.js';
import type { ObjectDraft } from './object.js';

export interface Kind {
  /** `GROUP/VERSION`, or the version alone. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Name of the CustomResourceDefinition without which it is not served; null for a built-in kind. */
  readonly definition: string | null;
}

const builtIn = (apiVersion: string, kind: string, plural: string, namespaced: boolean): Kind => ({
  apiVersion,
  kind,
  plural,
  namespaced,
  definition: null,
});

/** Of every custom kind, in whichever cluster it is served. */
export const DEFINITIONS: readonly ObjectDraft[] = [
  ...K3S_DEFINITIONS,
  ...OPERATOR_DEFINITIONS,
  ...KUBEVIRT_OPERATOR_DEFINITIONS,
  ...KUBEVIRT_DEFINITIONS,
  ...CLUSTER_API_DEFINITIONS,
  ...APPLICATION_DEFINITIONS,
  ...GPU_OPERATOR_DEFINITIONS,
];

export const KINDS: readonly Kind[] = [
  builtIn('v1', 'Namespace', 'namespaces', false),
  builtIn('v1', 'Node', 'nodes', false),
  builtIn('v1', 'Pod', 'pods', true),
  builtIn('v1', 'Secret', 'secrets', true),
  builtIn('v1', 'ConfigMap', 'configmaps', true),
  builtIn('v1', 'Service', 'services', true),
  builtIn('apps/v1', 'Deployment', 'deployments', true),
  builtIn('batch/v1', 'Job', 'jobs', true),
  builtIn('storage.k8s.io/v1', 'StorageClass', 'storageclasses', false),
  builtIn('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', false),
  ...DEFINITIONS.map((draft): Kind => {
    const { apiVersion, kind, plural, scope } = definedNames(draft);
    return { apiVersion, kind, plural, namespaced: scope === 'Namespaced', definition: draft.metadata.name };
  }),
];

/** Throws RangeError for a kind that is not in the table. */
export function kindOf({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): Kind {
  const found = KINDS.find((entry) => entry.kind === kind && entry.apiVersion === apiVersion);
  if (found === undefined) throw new RangeError(`the lab has no kind ${apiVersion} ${kind}`);
  return found;
}

/** Path of the collection, or of one object in it. */
export function pathOf(kind: Kind, namespace: string | null = null, name: string | null = null): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`;
  const place = namespace === null ? '' : `/namespaces/${namespace}`;
  return `${root}${place}/${kind.plural}${name === null ? '' : `/${name}`}`;
}
