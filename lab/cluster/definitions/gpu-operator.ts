/**
 * GPU Operator 26.3.1, from cozystack/cozystack v1.5.4: packages/system/gpu-operator/charts/gpu-operator/crds/nvidia.com_clusterpolicies.yaml.
 * @module
 */
import { definition, fields, flag, oneOf } from './schema.js';

/** In nested clusters, by the GPU Operator's chart. */
export const GPU_OPERATOR_DEFINITIONS = [
  definition(
    { apiVersion: 'nvidia.com/v1', kind: 'ClusterPolicy', plural: 'clusterpolicies', scope: 'Cluster' },
    {
      spec: fields({ driver: fields({ enabled: flag }) }),
      status: fields({ state: oneOf('ignored', 'ready', 'notReady') }, ['state']),
    },
  ),
];
