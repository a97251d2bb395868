/**
 * The custom resources of the platform's parts, as their definitions.
 * @module
 */
import type { ObjectDraft } from '../api/object.js';
import { anything, definitionWith } from '../definitions/schema.js';
import { isTrue, type Controller } from '../world.js';

const definition = (
  apiVersion: string,
  kind: string,
  plural: string,
  scope: 'Namespaced' | 'Cluster' = 'Namespaced',
): ObjectDraft => definitionWith({ apiVersion, kind, plural, scope }, anything);

export const K3S_DEFINITIONS = [definition('helm.cattle.io/v1', 'HelmChart', 'helmcharts')];
/** Installed by cozystack-operator when it starts. */
export const OPERATOR_DEFINITIONS = [
  definition('cozystack.io/v1alpha1', 'Package', 'packages', 'Cluster'),
  definition('cozystack.io/v1alpha1', 'PackageSource', 'packagesources', 'Cluster'),
  definition('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'helmreleases'),
];
export const KUBEVIRT_OPERATOR_DEFINITIONS = [definition('kubevirt.io/v1', 'KubeVirt', 'kubevirts')];
/** Made by virt-operator at run time. */
export const KUBEVIRT_DEFINITIONS = [
  definition('kubevirt.io/v1', 'VirtualMachine', 'virtualmachines'),
  definition('kubevirt.io/v1', 'VirtualMachineInstance', 'virtualmachineinstances'),
];
export const CLUSTER_API_DEFINITIONS = [
  definition('cluster.x-k8s.io/v1beta1', 'Cluster', 'clusters'),
  definition('cluster.x-k8s.io/v1beta1', 'MachineDeployment', 'machinedeployments'),
  definition('cluster.x-k8s.io/v1beta1', 'Machine', 'machines'),
  definition('controlplane.cluster.x-k8s.io/v1alpha1', 'KamajiControlPlane', 'kamajicontrolplanes'),
];
/** In nested clusters, by the GPU Operator's chart. */
export const GPU_OPERATOR_DEFINITIONS = [definition('nvidia.com/v1', 'ClusterPolicy', 'clusterpolicies', 'Cluster')];

/** The API server's own controller: accepts the names. */
export const establishDefinitions: Controller = {
  name: 'apiextensions',
  reconcile(world) {
    for (const crd of world.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition')) {
      if (isTrue(crd, 'Established')) continue;
      world.setCondition(crd, {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      });
    }
  },
};
