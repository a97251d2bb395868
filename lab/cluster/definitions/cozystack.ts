/**
 * From cozystack/cozystack v1.5.4: internal/crdinstall/manifests/cozystack.io_{packages,packagesources}.yaml and, with Flux 2.8.0,
 * internal/fluxinstall/manifests/fluxcd.yaml.
 * @module
 */
import { conditions, count, definition, fields, flag, json, list, map, oneOf, text } from './schema.js';

const duration = text('^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$');

/** Installed by cozystack-operator when it starts. */
export const OPERATOR_DEFINITIONS = [
  definition(
    { apiVersion: 'cozystack.io/v1alpha1', kind: 'Package', plural: 'packages', scope: 'Cluster' },
    {
      spec: fields({ variant: text(), components: map(fields({ enabled: flag, values: json })) }),
      status: fields({ conditions }),
    },
  ),
  definition(
    { apiVersion: 'cozystack.io/v1alpha1', kind: 'PackageSource', plural: 'packagesources', scope: 'Cluster' },
    {
      spec: fields({
        sourceRef: fields({ kind: oneOf('GitRepository', 'OCIRepository'), name: text(), namespace: text() }, [
          'kind',
          'name',
          'namespace',
        ]),
        variants: list(fields({ name: text() }, ['name'])),
      }),
      status: fields({ conditions }),
    },
  ),
  definition(
    { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', plural: 'helmreleases' },
    {
      spec: fields(
        {
          interval: duration,
          timeout: duration,
          chartRef: fields(
            { kind: oneOf('OCIRepository', 'HelmChart', 'ExternalArtifact'), name: text(), namespace: text() },
            ['kind', 'name'],
          ),
          dependsOn: list(fields({ name: text(), namespace: text() }, ['name'])),
          install: fields({ timeout: duration }),
          upgrade: fields({ timeout: duration }),
          values: json,
        },
        ['interval'],
      ),
      status: fields({ conditions, observedGeneration: count }),
    },
  ),
];
