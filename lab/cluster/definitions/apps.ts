/**
 * The applications of cozystack-api and what it shows of tenants, from cozystack/cozystack v1.5.4:
 * packages/apps/{tenant,kubernetes}/values.schema.json and pkg/apis/core/v1alpha1/tenantmodule_types.go. There they are
 * served by an aggregated API, which fills in what is required there and keeps fields that it does not know; here nothing is required, and
 * unknown fields are refused.
 * @module
 */
import {
  anything,
  conditions,
  count,
  definition,
  fields,
  flag,
  list,
  map,
  oneOf,
  text,
  textOrNumber,
} from './schema.js';

const APPS = 'apps.cozystack.io/v1alpha1';

export const APPLICATION_DEFINITIONS = [
  definition(
    { apiVersion: 'core.cozystack.io/v1alpha1', kind: 'TenantModule', plural: 'tenantmodules' },
    { appVersion: text(), status: fields({ conditions, version: text() }) },
  ),
  definition(
    { apiVersion: APPS, kind: 'Tenant', plural: 'tenants' },
    {
      spec: fields({ host: text(), etcd: flag, ingress: flag, monitoring: flag }),
      status: fields({ conditions, namespace: text() }),
    },
  ),
  definition(
    { apiVersion: APPS, kind: 'Kubernetes', plural: 'kuberneteses' },
    {
      spec: fields({
        version: oneOf('v1.35', 'v1.34', 'v1.33', 'v1.32', 'v1.31', 'v1.30'),
        storageClass: text(),
        controlPlane: fields({ replicas: count }),
        nodeGroups: map(
          fields({
            minReplicas: count,
            maxReplicas: count,
            instanceType: text(),
            diskSize: textOrNumber,
            roles: list(text()),
            resources: fields({ cpu: textOrNumber, memory: textOrNumber }),
            gpus: list(fields({ name: text() }, ['name'])),
          }),
        ),
        addons: fields({ gpuOperator: fields({ enabled: flag, valuesOverride: anything }) }),
      }),
      status: fields({ conditions }),
    },
  ),
];
