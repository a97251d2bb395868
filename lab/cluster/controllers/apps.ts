/**
 * cozystack-api and its applications: Tenants and Kubernetes clusters, each behind a HelmRelease of its own, as 1.5.4 renders them.
 * @module
 */
import { isJson, type ApiObject } from '../api/object.js';
import { field, isTrue, keyOf, type Controller, type World } from '../world.js';
import { GPUS_ANNOTATION } from './cluster-api.js';
import { helmRelease, type Chart, type Release } from './flux.js';

const APPS = 'apps.cozystack.io/v1alpha1';
const HR = ['helm.toolkit.fluxcd.io/v2', 'HelmRelease'] as const;
const ROOT = 'tenant-root';
const FINALIZER = 'apps.cozystack.io/release';
const MANAGER = 'cozystack-api';

/** Release prefix and chart of each kind of application. */
const APPLICATIONS: Readonly<Record<string, { readonly prefix: string; readonly chart: string }>> = {
  Tenant: { prefix: 'tenant-', chart: 'tenant' },
  Kubernetes: { prefix: 'kubernetes-', chart: 'kubernetes' },
};

export const cozystackApi: Controller = {
  name: MANAGER,
  async reconcile(world) {
    const definition = world.get('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'tenants.apps.cozystack.io');
    if (!isTrue(definition, 'Established')) return;
    await world.ensure({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: ROOT } }, MANAGER);
    await world.createOnce(
      { apiVersion: APPS, kind: 'Tenant', metadata: { name: 'root', namespace: ROOT }, spec: {} },
      MANAGER,
    );
    for (const [kind, application] of Object.entries(APPLICATIONS))
      for (const app of world.list(APPS, kind))
        await reconcileApp(world, app, `${application.prefix}${app.metadata.name}`, application.chart);
  },
};

async function reconcileApp(world: World, app: ApiObject, releaseName: string, chart: string): Promise<void> {
  const { namespace = ROOT } = app.metadata;
  const release = world.get(...HR, releaseName, namespace);
  if (app.metadata.deletionTimestamp !== undefined) {
    if (release === null) await world.dropFinalizer(app, FINALIZER);
    else await world.delete(release);
    return;
  }
  if (!app.metadata.finalizers?.includes(FINALIZER)) {
    const finalizers = [...(app.metadata.finalizers ?? []), FINALIZER];
    await world.replace({ ...app, metadata: { ...app.metadata, finalizers } }, MANAGER);
    return;
  }
  const spec = isJson(app['spec']) ? app['spec'] : {};
  const made = await world.ensure(
    helmRelease({
      namespace,
      name: releaseName,
      chart,
      labels: {
        'apps.cozystack.io/application.kind': app.kind,
        'apps.cozystack.io/application.group': 'apps.cozystack.io',
        'apps.cozystack.io/application.name': app.metadata.name,
        'sharding.fluxcd.io/key': 'tenants',
      },
      values: spec,
    }),
    MANAGER,
  );
  const ready = isTrue(made, 'Ready') && field(made, 'status', 'observedGeneration') === made.metadata.generation;
  await world.setCondition(
    app,
    {
      type: 'Ready',
      status: ready ? 'True' : 'False',
      reason: ready ? 'InstallSucceeded' : 'Progressing',
      message: ready ? '' : `HelmRelease ${keyOf(made)} is not ready`,
    },
    app.kind === 'Tenant' ? { namespace: tenantNamespace(app) } : {},
  );
}

const tenantNamespace = (tenant: ApiObject): string =>
  tenant.metadata.name === 'root' ? ROOT : `tenant-${tenant.metadata.name}`;

const labelOf = (release: Release, key: string): string =>
  release.object.metadata.labels?.[`apps.cozystack.io/application.${key}`] ?? '';

/** Namespace of the tenant, and the services it has of its own. */
async function tenantChart(release: Release): Promise<string | null> {
  const name = labelOf(release, 'name');
  const namespace = name === 'root' ? ROOT : `tenant-${name}`;
  if (name !== 'root')
    await release.ensure({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'tenant.cozystack.io/tenant-root': '' } },
    });
  for (const service of ['etcd', 'ingress'])
    if (field(release.values, service) === true)
      await release.ensure(helmRelease({ namespace, name: service, chart: service }));
  return null;
}

const isDefaultClass = ({ metadata }: ApiObject): boolean =>
  metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';

/** Its volumes name no class, so they wait for a default one. */
const etcdChart: Chart = ({ world }) =>
  world.list('storage.k8s.io/v1', 'StorageClass').some(isDefaultClass)
    ? null
    : "waiting for: [StatefulSet/etcd status: 'InProgress']";

/** etcd of the tenant itself or of one above. */
function hasEtcd(world: World, namespace: string): boolean {
  return [namespace, ROOT].some((place) => isTrue(world.get(...HR, 'etcd', place), 'Ready'));
}

/**
 * The Kubernetes app. Without etcd it renders one ConfigMap and is Ready; with it, it renders a MachineDeployment of two replicas whatever
 * the node group says, and becomes Ready only with all of them.
 */
async function kubernetesChart(release: Release): Promise<string | null> {
  const { world, namespace } = release;
  const name = `kubernetes-${labelOf(release, 'name')}`;
  const waiting = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${name}-awaiting-etcd`, namespace } };
  if (!hasEtcd(world, namespace)) {
    await release.ensure({ ...waiting, data: { reason: 'no etcd in this tenant or above' } });
    return null;
  }
  const leftover = world.get('v1', 'ConfigMap', waiting.metadata.name, namespace);
  if (leftover !== null) await world.delete(leftover);
  const group = field(release.values, 'nodeGroups', 'md0');
  const labels = { 'cluster.x-k8s.io/cluster-name': name };
  const deployment = world.get('cluster.x-k8s.io/v1beta1', 'MachineDeployment', `${name}-md0`, namespace);
  // An upgrade writes the replicas again; while it waits, nothing is written twice.
  const isNew = deployment?.metadata.annotations?.[REVISION] !== String(release.object.metadata.generation);
  if (isNew) {
    await release.ensure({
      apiVersion: 'cluster.x-k8s.io/v1beta1',
      kind: 'Cluster',
      metadata: { name, namespace },
      spec: {
        controlPlaneRef: { apiVersion: 'controlplane.cluster.x-k8s.io/v1alpha1', kind: 'KamajiControlPlane', name },
      },
    });
    await release.ensure({
      apiVersion: 'controlplane.cluster.x-k8s.io/v1alpha1',
      kind: 'KamajiControlPlane',
      metadata: { name, namespace, labels },
      spec: { version: 'v1.35.1', replicas: Number(field(release.values, 'controlPlane', 'replicas') ?? 2) },
    });
    await release.ensure({
      apiVersion: 'cluster.x-k8s.io/v1beta1',
      kind: 'MachineDeployment',
      metadata: {
        name: `${name}-md0`,
        namespace,
        labels,
        annotations: { [REVISION]: String(release.object.metadata.generation) },
      },
      spec: {
        clusterName: name,
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations: { [GPUS_ANNOTATION]: gpusOf(group).join(' ') } },
          spec: { clusterName: name, bootstrap: {}, infrastructureRef: {} },
        },
      },
    });
    if (field(release.values, 'addons', 'gpuOperator', 'enabled') === true)
      await release.ensure(
        helmRelease({
          namespace,
          name: `${name}-gpu-operator`,
          chart: 'gpu-operator',
          timeout: '10m',
          labels,
        }),
      );
    for (const part of ['cluster-autoscaler', 'kccm', 'kcsi-controller']) await release.deployment(`${name}-${part}`);
    return "waiting for: [MachineDeployment status: 'InProgress']";
  }
  const wanted = Number(field(deployment, 'spec', 'replicas'));
  const ready = Number(field(deployment, 'status', 'readyReplicas') ?? 0);
  return ready === wanted ? null : `waiting for: [MachineDeployment/${name}-md0 ${ready} of ${wanted}]`;
}

const gpusOf = (group: unknown): readonly string[] => {
  const gpus = field(group, 'gpus');
  return (Array.isArray(gpus) ? gpus : []).filter(isJson).map((gpu) => String(gpu['name']));
};

const REVISION = 'meta.helm.sh/release-generation';

export const APP_CHARTS: ReadonlyMap<string, Chart> = new Map<string, Chart>([
  ['tenant', tenantChart],
  ['kubernetes', kubernetesChart],
  ['etcd', etcdChart],
  ['ingress', () => null],
]);
