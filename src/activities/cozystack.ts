/**
 * Phase 5: Cozystack. Operator, platform, root tenant, and a look at every gate in the order in which they open.
 * @module
 */
import {
  CONFIGURED_BY,
  HELM_CHART_REF,
  HELM_JOB_NAME,
  operatorChart,
  OPERATOR_REF,
  PACKAGE_FIXED_FIELDS,
  PACKAGE_REF,
  PACKAGE_SOURCE_REF,
  platformPackage,
  ROOT_TENANT_REF,
  rootTenantConflict,
  rootTenantPatch,
  unsupportedCozystack,
} from '../domain/cluster/cozystack.js';
import { differences } from '../domain/cluster/differences.js';
import {
  condition,
  exists,
  firstShut,
  jobDone,
  jobFailure,
  kubevirtDeployed,
  nodesReady,
  packages,
  releases,
} from '../domain/cluster/gates.js';
import { KUBEVIRT_REF } from '../domain/cluster/kubevirt.js';
import type { KubeObject } from '../domain/cluster/objects.js';
import type { ServerSpec } from '../domain/spec.js';
import type { Cluster } from '../ports/cluster.js';
import { ProvisionError } from '../ports/failure.js';
import type { PhaseSteps, StepContext } from './define-step.js';
import { conflictsOf, ensure, isAsWanted, mustBeAsWanted, previewObjects, type Ensure } from './cluster/ensure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { readRegistryMirrors } from './cluster/registries.js';
import { through, waitingStep } from './cluster/waiting.js';
import { storageSteps } from './storage.js';

/** Cluster API's controllers; nested clusters need all of them. */
const CLUSTER_API_NAMESPACE = 'cozy-cluster-api';
const CLUSTER_API_DEPLOYMENTS = [
  'capi-operator-cluster-api-operator',
  'capi-controller-manager',
  'capi-kamaji-controller-manager',
  'capi-kubeadm-bootstrap-controller-manager',
  'capk-controller-manager',
];
const API_SERVICES = ['v1alpha1.apps.cozystack.io', 'v1alpha1.core.cozystack.io'];
/** Of the root tenant, once it has etcd and ingress. */
const ROOT_TENANT_RELEASES = ['tenant-root', 'etcd', 'ingress'];

const chart = (spec: ServerSpec): Ensure => ({ object: operatorChart(spec), fixed: /^spec\.(chart|version)$/ });
const platform = async ({ spec, secrets }: Pick<StepContext, 'spec' | 'secrets'>): Promise<Ensure> => ({
  object: platformPackage(spec, await readRegistryMirrors(spec, secrets)),
  fixed: PACKAGE_FIXED_FIELDS,
});

const listReleases = (cluster: Cluster): Promise<readonly KubeObject[]> =>
  cluster.list({ apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' });

/** A Cozystack that somebody installed another way has no version that could be read for sure. */
async function requireNoOther(cluster: Cluster): Promise<void> {
  if ((await cluster.get(OPERATOR_REF)) !== null && (await cluster.get(HELM_CHART_REF)) === null)
    throw new ProvisionError(
      'ClusterConflict',
      `${OPERATOR_REF.namespace}/${OPERATOR_REF.name} is there, but no HelmChart ${HELM_CHART_REF.name}: Cozystack was installed another way and is left alone`,
    );
}

/** For preflight: a Cozystack of another version, with other networks, or of somebody else. */
export async function cozystackConflicts(cluster: Cluster, ctx: StepContext): Promise<readonly string[]> {
  const { spec } = ctx;
  const wanted = await platform(ctx);
  return conflictsOf([
    () => requireNoOther(cluster),
    () => isAsWanted(cluster, chart(spec)),
    () => isAsWanted(cluster, wanted),
    () => tenantDiffers(cluster, spec),
  ]);
}

function requireSupported(spec: ServerSpec): void {
  const problem = unsupportedCozystack(spec.cluster.cozystack.version);
  if (problem !== null) throw new ProvisionError('ClusterConflict', problem);
}

export const cozystackSteps = {
  'cozystack.install-operator': {
    preview: async (ctx) => previewObjects(await clusterIfAny(ctx), [chart(ctx.spec)]),
    check: async ({ clusters, spec }) => {
      requireSupported(spec);
      const cluster = await clusters.host(spec);
      await requireNoOther(cluster);
      return (await isAsWanted(cluster, chart(spec))) ? operatorResult(spec) : null;
    },
    apply: async ({ clusters, spec, run }) => ensure(await clusters.host(spec), run.id, chart(spec)),
    verify: async ({ clusters, spec }) => {
      await mustBeAsWanted(await clusters.host(spec), chart(spec));
      return operatorResult(spec);
    },
  },

  'cozystack.await-operator': waitingStep(async ({ clusters, spec }) => {
    const cluster = await clusters.host(spec);
    const job = await cluster.get({
      apiVersion: 'batch/v1',
      kind: 'Job',
      namespace: HELM_CHART_REF.namespace,
      name: HELM_JOB_NAME,
    });
    const operator = await cluster.get(OPERATOR_REF);
    const failure = jobFailure(job);
    if (failure !== null)
      throw new ProvisionError('ClusterConflict', `Job ${HELM_JOB_NAME} gave up installing the operator: ${failure}`);
    through(
      firstShut([
        // k3s deletes the finished Job some time later; then the Deployment speaks for it.
        operator === null ? jobDone(job, HELM_JOB_NAME) : null,
        condition(operator, 'Available', 'Deployment cozystack-operator'),
        ...(await Promise.all(
          ['packages.cozystack.io', 'packagesources.cozystack.io'].map(async (name) =>
            condition(
              await cluster.get({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name }),
              'Established',
              `CustomResourceDefinition ${name}`,
            ),
          ),
        )),
        condition(await cluster.get(PACKAGE_SOURCE_REF), 'Ready', `PackageSource ${PACKAGE_SOURCE_REF.name}`),
      ]),
    );
    return { summary: 'operator available, package source ready' };
  }),

  'cozystack.apply-platform': {
    preview: async (ctx) => previewObjects(await clusterIfAny(ctx), [await platform(ctx)]),
    check: async (ctx) =>
      (await isAsWanted(await ctx.clusters.host(ctx.spec), await platform(ctx))) ? platformResult : null,
    apply: async (ctx) => ensure(await ctx.clusters.host(ctx.spec), ctx.run.id, await platform(ctx)),
    verify: async (ctx) => {
      await mustBeAsWanted(await ctx.clusters.host(ctx.spec), await platform(ctx));
      return platformResult;
    },
  },

  ...storageSteps,

  'cozystack.await-releases': waitingStep(async ({ clusters, spec }) => {
    const cluster = await clusters.host(spec);
    const list = await listReleases(cluster);
    through(
      firstShut([
        condition(await cluster.get(PACKAGE_REF), 'Ready', `Package ${PACKAGE_REF.name}`),
        packages(await cluster.list({ apiVersion: PACKAGE_REF.apiVersion, kind: PACKAGE_REF.kind })),
        releases(list),
        nodesReady(await cluster.list({ apiVersion: 'v1', kind: 'Node' })),
      ]),
    );
    return releasesResult(list);
  }),

  'cozystack.await-platform': waitingStep(async ({ clusters, spec }) => {
    const cluster = await clusters.host(spec);
    const deployments = await cluster.list({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: CLUSTER_API_NAMESPACE,
    });
    const services = await cluster.list({ apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' });
    through(
      firstShut([
        ...CLUSTER_API_DEPLOYMENTS.map((name) =>
          condition(named(deployments, name), 'Available', `Deployment ${CLUSTER_API_NAMESPACE}/${name}`),
        ),
        ...API_SERVICES.map((name) => condition(named(services, name), 'Available', `APIService ${name}`)),
        kubevirtDeployed(await cluster.get(KUBEVIRT_REF)),
      ]),
    );
    through(exists(await cluster.get(ROOT_TENANT_REF), 'Tenant tenant-root/root'));
    // Releases appear late: those that were there when all were ready are not all there are.
    const list = await listReleases(cluster);
    through(releases(list));
    return releasesResult(list);
  }),

  'cozystack.configure-root-tenant': {
    preview: async (ctx) => {
      const cluster = await clusterIfAny(ctx);
      const tenant = cluster === null ? null : await cluster.get(ROOT_TENANT_REF);
      const hasBoth = tenant !== null && differences(rootTenantPatch(ctx.spec), tenant).length === 0;
      return hasBoth ? [] : [{ sign: '~', kind: 'object', what: 'Tenant tenant-root/root', diff: '' }];
    },
    check: async ({ clusters, spec }) =>
      (await tenantDiffers(await clusters.host(spec), spec)).length === 0 ? tenantResult(spec) : null,
    apply: async ({ clusters, spec, run }) => {
      const metadata = { labels: { [CONFIGURED_BY]: run.id } };
      await (await clusters.host(spec)).mergePatch(ROOT_TENANT_REF, { ...rootTenantPatch(spec), metadata });
    },
    verify: async ({ clusters, spec }) => {
      const different = await tenantDiffers(await clusters.host(spec), spec);
      if (different.length > 0)
        throw new ProvisionError('StepNotVerified', `Tenant tenant-root/root still differs in ${different.join(', ')}`);
      return tenantResult(spec);
    },
  },

  'cozystack.await-root-tenant': waitingStep(async ({ clusters, spec }) => {
    const cluster = await clusters.host(spec);
    const list = await cluster.list({
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      namespace: 'tenant-root',
    });
    through(
      firstShut(
        ROOT_TENANT_RELEASES.map((name) => condition(named(list, name), 'Ready', `HelmRelease tenant-root/${name}`)),
      ),
    );
    return { summary: 'etcd and ingress of the root tenant are ready' };
  }),
} satisfies PhaseSteps<'cozystack'>;

const named = (list: readonly KubeObject[], name: string): KubeObject | null =>
  list.find((object) => object.metadata.name === name) ?? null;

async function tenantDiffers(cluster: Cluster, spec: ServerSpec): Promise<readonly string[]> {
  const tenant = await cluster.get(ROOT_TENANT_REF);
  if (tenant === null) throw new ProvisionError('NotReadyYet', 'Tenant tenant-root/root does not exist yet');
  const conflict = rootTenantConflict(tenant, spec.cluster.cozystack.host);
  if (conflict !== null) throw new ProvisionError('ClusterConflict', conflict);
  return differences(rootTenantPatch(spec), tenant);
}

const operatorResult = ({ cluster }: ServerSpec): { summary: string; facts: Record<string, unknown> } => ({
  summary: `HelmChart cozy-installer ${cluster.cozystack.version}`,
  facts: { version: cluster.cozystack.version },
});
const platformResult = { summary: `Package ${PACKAGE_REF.name} applied` };
const tenantResult = ({ cluster }: ServerSpec): { summary: string } => ({
  summary: `root tenant has etcd and ingress at ${cluster.cozystack.host}`,
});
const releasesResult = (list: readonly KubeObject[]): { summary: string; facts: Record<string, unknown> } => ({
  summary: `${list.length} of ${list.length} HelmReleases ready`,
  facts: { releases: list.length },
});
