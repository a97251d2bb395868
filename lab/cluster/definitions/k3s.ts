/**
 * From k3s-io/helm-controller v0.16.13: pkg/crds/yaml/generated/helm.cattle.io_helmcharts.yaml.
 * @module
 */
import { definition, fields, flag, text } from './schema.js';

export const K3S_DEFINITIONS = [
  definition(
    { apiVersion: 'helm.cattle.io/v1', kind: 'HelmChart', plural: 'helmcharts' },
    {
      spec: fields({
        chart: text(),
        version: text(),
        targetNamespace: text(),
        createNamespace: flag,
        bootstrap: flag,
        valuesContent: text(),
      }),
      status: fields({ jobName: text() }),
    },
  ),
];
