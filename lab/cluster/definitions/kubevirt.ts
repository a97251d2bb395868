/**
 * From kubevirt/kubevirt v1.8.4: pkg/virt-operator/resource/generate/components/validations_generated.go, and the KubeVirt object of
 * cozystack/cozystack v1.5.4: packages/system/kubevirt-operator/templates/kubevirt-operator.yaml.
 * @module
 */
import { anything, definition, fields, flag, list, looseConditions, text } from './schema.js';

const API = 'kubevirt.io/v1';

export const KUBEVIRT_OPERATOR_DEFINITIONS = [
  definition(
    { apiVersion: API, kind: 'KubeVirt', plural: 'kubevirts' },
    {
      spec: fields({
        configuration: fields({
          developerConfiguration: fields({ featureGates: list(text()) }),
          permittedHostDevices: fields({
            pciHostDevices: list(
              fields({ pciVendorSelector: text(), resourceName: text(), externalResourceProvider: flag }, [
                'pciVendorSelector',
                'resourceName',
              ]),
            ),
          }),
        }),
        customizeComponents: fields({
          patches: list(
            fields({ resourceType: text(), resourceName: text(), type: text(), patch: text() }, [
              'resourceType',
              'resourceName',
              'type',
              'patch',
            ]),
          ),
        }),
      }),
      status: fields({ conditions: looseConditions, phase: text(), observedKubeVirtVersion: text() }),
    },
    ['spec'],
  ),
];

const instance = fields(
  {
    domain: fields({ devices: fields({ gpus: list(fields({ name: text(), deviceName: text() }, ['name'])) }) }, [
      'devices',
    ]),
  },
  ['domain'],
);

/** Made by virt-operator at run time. */
export const KUBEVIRT_DEFINITIONS = [
  definition(
    { apiVersion: API, kind: 'VirtualMachine', plural: 'virtualmachines' },
    {
      spec: fields({ runStrategy: text(), template: fields({ metadata: anything, spec: instance }) }, ['template']),
      status: fields({ conditions: looseConditions }),
    },
    ['spec'],
  ),
  definition(
    { apiVersion: API, kind: 'VirtualMachineInstance', plural: 'virtualmachineinstances' },
    {
      spec: instance,
      status: fields({ conditions: looseConditions, phase: text(), nodeName: text() }),
    },
    ['spec'],
  ),
];
