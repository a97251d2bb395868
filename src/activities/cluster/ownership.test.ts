import { describe, expect, it } from 'vitest';
import {
  NESTED,
  patchAs,
  perform,
  POLL,
  SPEC,
  startInstalled,
  undo,
  type Site,
} from '../../../test/support/cluster-site.js';
import { kubernetesApp } from '../../domain/cluster/nested.js';
import type { ServerSpec } from '../../domain/spec.js';
import type { Cluster, KubeObject } from '../../ports/cluster.js';
import type { StepContext } from '../define-step.js';
import { clusterConflicts } from './conflicts.js';

describe('what somebody else made', () => {
  const app = {
    apiVersion: 'apps.cozystack.io/v1alpha1',
    kind: 'Kubernetes',
    namespace: 'tenant-workload',
    name: 'main',
  };
  const tenant = { ...app, kind: 'Tenant', namespace: 'tenant-root', name: 'workload' };
  const objectOf = ({ apiVersion, kind, namespace, name }: typeof app, spec: object): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec,
  });
  const wantedSpec = kubernetesApp(NESTED, SPEC.gpus)['spec'] as Readonly<Record<string, unknown>>;

  async function withApp(spec: object): Promise<{ site: Site; ctx: StepContext; cluster: Cluster }> {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    await cluster.apply(objectOf(tenant, {}));
    await expect
      .poll(() => cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'tenant-workload' }), POLL)
      .not.toBeNull();
    await cluster.apply(objectOf(app, spec));
    return { site, ctx, cluster };
  }

  it('a nested cluster of that name that is different: told in preflight, refused, and it stays', async () => {
    const { ctx, cluster } = await withApp({ ...wantedSpec, version: 'v1.33' });
    const why =
      'Kubernetes tenant-workload/main is there already and was not made by gpu-provision; it differs in spec.version';
    expect(await clusterConflicts(ctx)).toEqual([why]);
    await expect(perform('nested.create-cluster', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: why,
    });
    for (const name of ['nested.create-cluster', 'nested.create-tenant']) await undo(name, ctx);
    expect((await cluster.get(app))?.['spec']).toMatchObject({ version: 'v1.33' });
  });

  it('a nested cluster as wanted is used, is not resized, and survives the undo', async () => {
    const { ctx, cluster } = await withApp(wantedSpec);
    expect(await clusterConflicts(ctx)).toEqual([]);
    for (const name of ['nested.create-tenant', 'nested.create-cluster'])
      expect((await perform(name, ctx)).changed).toBe(false);
    const machines = {
      apiVersion: 'cluster.x-k8s.io/v1beta1',
      kind: 'MachineDeployment',
      namespace: 'tenant-workload',
      name: 'kubernetes-main-md0',
    };
    await expect(perform('nested.fix-size', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringMatching(
        /^Kubernetes tenant-workload\/main was not made by gpu-provision.* has 2 replicas/,
      ),
    });
    expect((await cluster.get(machines))?.['spec']).toMatchObject({ replicas: 2 });
    expect(await undo('nested.create-cluster', ctx)).toContain('stays: this run did not create it');
    expect(await undo('nested.create-tenant', ctx)).toContain('HelmRelease tenant-workload/kubernetes-main would go');
    expect(await cluster.get(app)).not.toBeNull();
  });

  it("a cluster in this run's tenant keeps the tenant", async () => {
    const site = await startInstalled();
    const ctx = site.context();
    for (const name of ['nested.create-tenant', 'nested.await-tenant', 'nested.create-cluster'])
      await perform(name, ctx);
    const cluster = await ctx.clusters.host(SPEC);
    await cluster.apply(objectOf({ ...app, name: 'theirs' }, wantedSpec));
    const release = { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', namespace: 'tenant-workload' };
    await expect.poll(() => cluster.get({ ...release, name: 'kubernetes-theirs' }), POLL).not.toBeNull();
    await undo('nested.create-cluster', ctx);
    expect(await undo('nested.create-tenant', ctx)).toBe(
      'tenant workload stays: HelmRelease tenant-workload/kubernetes-theirs would go with it',
    );
    expect([await cluster.get(app), (await cluster.get(tenant)) === null]).toEqual([null, false]);
    await cluster.delete({ ...app, name: 'theirs' });
    await expect.poll(() => cluster.get({ ...release, name: 'kubernetes-theirs' }), POLL).toBeNull();
    await undo('nested.create-tenant', ctx);
    expect(await cluster.get(tenant)).toBeNull();
  });

  it('a field that another tool has set since: the message names tool and field, and the value stays', async () => {
    const site = await startInstalled();
    const ctx = site.context(SPEC, 'run-2');
    const chart = '/apis/helm.cattle.io/v1/namespaces/kube-system/helmcharts/cozy-installer';
    await patchAs(site.api, 'kubectl-edit', chart, { spec: { valuesContent: 'theirs: true\n' } });
    await expect(perform('cozystack.install-operator', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringMatching(
        /^HelmChart kube-system\/cozy-installer: \.spec\.valuesContent is managed by kubectl-edit\. Nothing is taken/,
      ),
    });
    const ref = {
      apiVersion: 'helm.cattle.io/v1',
      kind: 'HelmChart',
      namespace: 'kube-system',
      name: 'cozy-installer',
    };
    expect((await (await ctx.clusters.host(SPEC)).get(ref))?.['spec']).toMatchObject({
      valuesContent: 'theirs: true\n',
    });
  });

  it('another version, other networks and another domain are told before anything is changed', async () => {
    const site = await startInstalled();
    const other: ServerSpec = {
      ...SPEC,
      nodeIP: SPEC.nodeIP,
      cluster: { ...SPEC.cluster, cozystack: { ...SPEC.cluster.cozystack, version: '1.5.2', host: 'other.example' } },
    };
    const ctx = site.context(other, 'run-2');
    expect(await clusterConflicts(ctx)).toEqual([
      'HelmChart kube-system/cozy-installer has another spec.version than the inventory wants; this cannot be changed on a cluster that is there',
    ]);
    const cluster = await ctx.clusters.host(SPEC);
    const platform = { apiVersion: 'cozystack.io/v1alpha1', kind: 'Package', name: 'cozystack.cozystack-platform' };
    await cluster.mergePatch(platform, {
      spec: { components: { platform: { values: { networking: { podCIDR: '10.244.0.0/16' } } } } },
    });
    expect((await clusterConflicts(site.context())).join()).toContain(
      'has another spec.components.platform.values.networking.podCIDR than the inventory wants',
    );
  });

  it('a root tenant that somebody publishes elsewhere keeps its domain', async () => {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    const root = { ...tenant, name: 'root' };
    const labels = { 'gpu-provision/configured-by': null };
    await cluster.mergePatch(root, { metadata: { labels }, spec: { host: 'theirs.example' } });
    const why =
      'Tenant tenant-root/root is published at theirs.example, and not by gpu-provision; the inventory wants example.org';
    expect(await clusterConflicts(ctx)).toEqual([why]);
    await expect(perform('cozystack.configure-root-tenant', ctx)).rejects.toMatchObject({ message: why });
    expect((await cluster.get(root))?.['spec']).toMatchObject({ host: 'theirs.example' });
  });
});
