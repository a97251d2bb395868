/**
 * Cluster API 1.10.1 and Kamaji's provider 0.16.0, from cozystack/cozystack v1.5.4: packages/system/capi-providers-core/files/core-components.yaml and
 * packages/system/capi-providers-cpprovider/files/control-plane-components.yaml.
 * @module
 */
import { conditions, count, definition, fields, flag, map, oneOf, text } from './schema.js';

const CAPI = 'cluster.x-k8s.io/v1beta1';

const reference = fields({ apiVersion: text(), kind: text(), name: text() });
const machine = fields(
  { clusterName: text(), bootstrap: fields({ dataSecretName: text() }), infrastructureRef: reference },
  ['bootstrap', 'clusterName', 'infrastructureRef'],
);

export const CLUSTER_API_DEFINITIONS = [
  definition(
    { apiVersion: CAPI, kind: 'Cluster', plural: 'clusters' },
    { spec: fields({ controlPlaneRef: reference }), status: fields({ phase: text() }) },
  ),
  definition(
    { apiVersion: CAPI, kind: 'MachineDeployment', plural: 'machinedeployments' },
    {
      spec: fields(
        {
          clusterName: text(),
          replicas: count,
          selector: fields({ matchLabels: map(text()) }),
          template: fields({
            metadata: fields({ annotations: map(text()), labels: map(text()) }),
            spec: machine,
          }),
        },
        ['clusterName', 'selector', 'template'],
      ),
      status: fields({ replicas: count, readyReplicas: count }),
    },
  ),
  definition(
    { apiVersion: CAPI, kind: 'Machine', plural: 'machines' },
    {
      spec: machine,
      status: fields({
        phase: oneOf('Pending', 'Provisioning', 'Provisioned', 'Running', 'Deleting', 'Deleted', 'Failed', 'Unknown'),
        nodeRef: reference,
      }),
    },
  ),
  definition(
    { apiVersion: 'controlplane.cluster.x-k8s.io/v1alpha1', kind: 'KamajiControlPlane', plural: 'kamajicontrolplanes' },
    {
      spec: fields({ version: text(), replicas: count }, ['version']),
      // Required are also counts and a selector that nobody reads.
      status: fields({ conditions, ready: flag }, ['ready']),
    },
  ),
];
