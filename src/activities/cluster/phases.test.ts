import { describe, expect, it, vi } from 'vitest';
import {
  CLUSTER_PHASES,
  DISK_ID,
  isolated,
  NESTED,
  patchAs,
  perform,
  performPhases,
  planned,
  SPEC,
  start,
  startInstalled,
  undo,
  until,
  type Site,
} from '../../../test/support/cluster-site.js';
import { kubernetesApp } from '../../domain/cluster/nested.js';
import { stepsOf } from '../../domain/run/steps.js';
import type { ServerSpec } from '../../domain/spec.js';
import type { Cluster, KubeObject } from '../../ports/cluster.js';
import type { StepContext } from '../define-step.js';
import { readDiskPlan } from '../storage.js';
import { cordonNode, uncordonNode } from '../workloads.js';
import { clusterConflicts } from './conflicts.js';

describe('the cluster phases against the simulated cluster', () => {
  it('install Cozystack, offer the GPUs, build a nested cluster and prove its GPUs', async () => {
    // A release that fails twice before it installs is how Flux works, not a failure.
    const transient = { effect: 'release-fails-first', subject: 'cozy-cert-manager/cert-manager', times: 2 } as const;
    const site = await start({ faults: [transient] });
    const results = await performPhases(CLUSTER_PHASES, site.context());
    expect(results.get('cozystack.await-platform')?.facts?.['releases']).toBeGreaterThan(15);
    expect(results.get('kubevirt.await-allocatable')?.facts).toMatchObject({ allocatable: 8 });
    expect(results.get('nested.await-gpus')?.summary).toBe('tenant-workload/main: 2 GPUs allocatable');
    expect(results.get('acceptance.await-job')?.facts).toMatchObject({ proven: 2, total: 8 });
  });

  it('change nothing the second time', async () => {
    const site = await startInstalled();
    await performPhases(CLUSTER_PHASES, site.context());
    const again = await performPhases(CLUSTER_PHASES, site.context(SPEC, 'run-2'));
    expect([...again].filter(([, result]) => result.changed).map(([name]) => name)).toEqual([]);
    expect(await planned(site.context())).toEqual([]);
  });

  it('plan every object on a cluster that has only k3s', async () => {
    const site = await start();
    expect(await planned(site.context())).toEqual([
      '+ HelmChart kube-system/cozy-installer',
      '+ Package cozystack.cozystack-platform',
      '~ SAMSUNG MZQL23T8HCLS-00A07 3.84 TB serial S64GNE0R100001',
      '+ StorageClass local',
      '+ StorageClass replicated',
      '~ Tenant tenant-root/root',
      '~ Package cozystack.kubevirt',
      '~ KubeVirt kubevirt',
      '+ Tenant tenant-root/workload',
      '+ Kubernetes tenant-workload/main',
      '+ Job default/gpu-provision-acceptance',
    ]);
  });

  it('take away what this run created in reverse order, and leave what another run created', async () => {
    const site = await startInstalled();
    await performPhases(CLUSTER_PHASES, site.context());
    const other = site.context(SPEC, 'run-2');
    expect(await undo('nested.create-cluster', other)).toContain('this run did not create it');
    expect(await undo('kubevirt.permit-gpus', other)).toBe('no entry of this run');
    const own = site.context();
    for (const name of ['acceptance.run-job', 'nested.create-cluster', 'nested.create-tenant', 'kubevirt.permit-gpus'])
      await undo(name, own);
    const cluster = await own.clusters.host(SPEC);
    expect(await cluster.list({ apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' })).toEqual([]);
    await expect.poll(() => cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'tenant-workload' })).toBeNull();
    const kubevirt = await cluster.get({
      apiVersion: 'kubevirt.io/v1',
      kind: 'KubeVirt',
      namespace: 'cozy-kubevirt',
      name: 'kubevirt',
    });
    expect(JSON.stringify(kubevirt)).not.toContain('10DE:2330');
  });

  it('bring what a run of ours made up to date when the inventory changes what may change', async () => {
    const site = await startInstalled();
    await performPhases(['kubevirt', 'nested-cluster'], site.context());
    const bigger = { ...SPEC, cluster: { ...SPEC.cluster, nested: [{ ...NESTED, nodes: 2 }] } };
    const results = await performPhases(['nested-cluster'], site.context(bigger, 'run-2'));
    expect(results.get('nested.await-gpus')?.summary).toBe('tenant-workload/main: 4 GPUs allocatable');
    const cluster = await site.context().clusters.host(SPEC);
    const app = {
      apiVersion: 'apps.cozystack.io/v1alpha1',
      kind: 'Kubernetes',
      namespace: 'tenant-workload',
      name: 'main',
    };
    expect((await cluster.get(app))?.metadata.labels?.['gpu-provision/run']).toBe('run-1');
  });

  it('survive a restart of the host in the middle, with VMs that start again', async () => {
    const first = await startInstalled();
    await performPhases(CLUSTER_PHASES, first.context());
    const stored = first.api.stored();
    await first.api.close();
    const second = await start({ stored, pool: true });
    const results = await performPhases(CLUSTER_PHASES, second.context());
    expect(results.get('nested.await-gpus')?.summary).toBe('tenant-workload/main: 2 GPUs allocatable');
  });
});

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
      .poll(() => cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'tenant-workload' }))
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
    await expect.poll(() => cluster.get({ ...release, name: 'kubernetes-theirs' })).not.toBeNull();
    await undo('nested.create-cluster', ctx);
    expect(await undo('nested.create-tenant', ctx)).toBe(
      'tenant workload stays: HelmRelease tenant-workload/kubernetes-theirs would go with it',
    );
    expect([await cluster.get(app), (await cluster.get(tenant)) === null]).toEqual([null, false]);
    await cluster.delete({ ...app, name: 'theirs' });
    await expect.poll(() => cluster.get({ ...release, name: 'kubernetes-theirs' })).toBeNull();
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

describe('storage', () => {
  const upTo = async (site: Site): Promise<StepContext> => {
    const ctx = site.context();
    for (const { name } of stepsOf('cozystack')) {
      if (name === 'cozystack.create-pool') return ctx;
      await perform(name, ctx);
    }
    throw new Error('no pool step');
  };

  it('takes the disks that were approved, marks the pool with the run, and a second run finds it', async () => {
    const site = await start();
    const ctx = await upTo(site);
    const plan = await readDiskPlan(ctx);
    expect(plan).toMatchObject({ pool: 'data', node: 'h100-01', disks: [{ id: DISK_ID, serial: 'S64GNE0R100001' }] });
    const made = await perform('cozystack.create-pool', { ...ctx, approved: plan.digest });
    expect(made).toMatchObject({ changed: true, facts: { kind: 'ZFS', run: 'run-1' } });
    expect(site.disk.signature).toBe('zfs_member');
    const other = site.context(SPEC, 'run-2');
    expect(await readDiskPlan(other)).toMatchObject({ disks: [], digest: '' });
    expect(await perform('cozystack.create-pool', other)).toMatchObject({ changed: false, facts: { run: 'run-1' } });
  });

  it('takes no disk that nobody was asked about, nor another one than was approved', async () => {
    const site = await start();
    const ctx = await upTo(site);
    await expect(perform('cozystack.create-pool', ctx)).rejects.toMatchObject({
      type: 'Drifted',
      message: 'nobody was asked about the disks',
    });
    const { digest } = await readDiskPlan(ctx);
    site.disk.serial = 'S64GNE0R999999';
    await expect(perform('cozystack.create-pool', { ...ctx, approved: digest })).rejects.toMatchObject({
      type: 'Drifted',
      message: expect.stringMatching(/^digest [0-9a-f-]{9} was approved, but the disks are now [0-9a-f-]{9}$/),
    });
    expect([site.disk.signature, site.pools.size]).toEqual(['', 0]);
  });

  it('leaves a disk alone that is not empty any more', async () => {
    const site = await start();
    const ctx = await upTo(site);
    const { digest } = await readDiskPlan(ctx);
    site.disk.signature = 'ext4';
    await expect(perform('cozystack.create-pool', { ...ctx, approved: digest })).rejects.toMatchObject({
      type: 'DiskNotEmpty',
      message: `${DISK_ID} is not empty: ext4. Nothing was touched`,
    });
    expect([site.disk.signature, site.pools.size]).toEqual(['ext4', 0]);
  });

  it('is used as it is when there is a pool, and asked for when there is neither pool nor disk', async () => {
    const site = await start();
    const ctx = await upTo(site);
    const without = { ...SPEC, disks: [] };
    await expect(readDiskPlan(site.context(without))).rejects.toMatchObject({
      type: 'Blocked',
      message: 'h100-01 has no storage pool data, and servers.h100-01.disks names no disk for one',
    });
    site.pools.set('data', { kind: 'LVM_THIN', bytes: 1e12, props: {} });
    expect(await perform('cozystack.create-pool', { ...ctx, spec: without })).toMatchObject({
      changed: false,
      facts: { kind: 'LVM_THIN', run: null },
    });
    expect(site.disk.signature).toBe('');
  });

  it('a StorageClass of somebody else is kept if it is in the same pool, and stops the run if it needs three nodes', async () => {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    const ref = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', name: 'replicated' };
    const theirs = async (autoPlace: string): Promise<void> => {
      await cluster.delete(ref);
      await expect.poll(() => cluster.get(ref)).toBeNull();
      const parameters = {
        'linstor.csi.linbit.com/storagePool': 'data',
        'linstor.csi.linbit.com/autoPlace': autoPlace,
      };
      const { apiVersion, kind, name } = ref;
      await cluster.apply({ apiVersion, kind, metadata: { name }, provisioner: 'linstor.csi.linbit.com', parameters });
    };
    await theirs('1');
    expect((await perform('cozystack.create-storage-classes', ctx)).changed).toBe(false);
    await theirs('3');
    await expect(perform('cozystack.create-storage-classes', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message:
        'StorageClass replicated is there already and was not made by gpu-provision; it differs in parameters.linstor.csi.linbit.com/autoPlace',
    });
  });
});

describe('traps of the platform', () => {
  it('a device plugin that lost its GPUs at a restart gets a new virt-handler, once', async () => {
    const before = await startInstalled();
    await performPhases(['cozystack', 'kubevirt'], before.context());
    // virt-handler has been up for long, so it will not find them by itself any more.
    const stored = new Map(
      [...before.api.stored()].map(([key, text]): [string, string] => [
        key,
        text.replace(/"startTime":"[^"]+"/, '"startTime":"2026-01-01T00:00:00Z"'),
      ]),
    );
    const site = await start({ stored, pool: true, faults: [{ effect: 'allocatable-lost-after-restart' }] });
    const cluster = await site.context().clusters.host(SPEC);
    await vi.waitFor(async () => {
      const [node] = await cluster.list({ apiVersion: 'v1', kind: 'Node' });
      expect(node).toHaveProperty(['status', 'allocatable', SPEC.gpus.resource], '0');
    });
    const result = await perform('kubevirt.await-allocatable', site.context());
    expect(result.facts).toMatchObject({ allocatable: 8, virtHandlerRestarts: 1 });
  });

  it('a driver that builds longer than the chart allows gets the time it needs', async () => {
    const site = await startInstalled({ faults: [{ effect: 'slow-driver-build' }] });
    const results = await performPhases(['kubevirt', 'nested-cluster'], site.context());
    expect(results.get('nested.await-gpus')?.summary).toBe('tenant-workload/main: 2 GPUs allocatable');
  });

  it('an app that is Ready with no etcd behind it is not taken for a cluster', async () => {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    await cluster.delete({
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      namespace: 'tenant-root',
      name: 'etcd',
    });
    const root = { apiVersion: 'apps.cozystack.io/v1alpha1', kind: 'Tenant', namespace: 'tenant-root', name: 'root' };
    await cluster.mergePatch(root, { spec: { etcd: false } });
    for (const name of ['nested.create-tenant', 'nested.await-tenant', 'nested.create-cluster'])
      await perform(name, ctx);
    await expect(perform('nested.fix-size', ctx, 20)).rejects.toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringMatching(
        /^ConfigMap tenant-workload\/kubernetes-main-awaiting-etcd exists: no tenant above/,
      ),
    });
  });

  it('GPUs that are permitted under another name are a conflict, not a second entry', async () => {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    const other = [{ pciVendorSelector: '10DE:2330', resourceName: 'nvidia.com/GH100_H100_SXM5_80GB' }];
    await cluster.mergePatch(
      { apiVersion: 'kubevirt.io/v1', kind: 'KubeVirt', namespace: 'cozy-kubevirt', name: 'kubevirt' },
      { spec: { configuration: { permittedHostDevices: { pciHostDevices: other } } } },
    );
    await expect(perform('kubevirt.permit-gpus', ctx)).rejects.toMatchObject({ type: 'ClusterConflict' });
  });
});

describe('what holds a cluster phase up is said by name', () => {
  it.each([
    ['cozystack.await-linstor', 'cozy-linstor/linstor'],
    ['cozystack.await-linstor', 'cozy-cert-manager/cert-manager'],
    ['cozystack.await-releases', 'cozy-kubevirt-cdi/kubevirt-cdi'],
  ])('%s: HelmRelease %s, which never becomes ready', async (step, subject) => {
    const site = await start({ faults: [{ effect: 'release-never-ready', subject }] });
    expect(await until(site, step)).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringContaining(`HelmRelease ${subject} (InstallFailed, Helm install failed`),
    });
  });

  it('GPUs that are not on vfio-pci', async () => {
    const site = await startInstalled({ devices: isolated.map((d, i) => (i === 3 ? { ...d, driver: 'nvidia' } : d)) });
    expect(await until(site, 'kubevirt.await-allocatable')).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringMatching(/^Node h100-01 offers 7 of 8 nvidia.com\/H100_SXM5_80GB/),
    });
  });

  it('a VM for which no GPU is left', async () => {
    const many = { ...SPEC, cluster: { ...SPEC.cluster, nested: [{ ...NESTED, gpusPerNode: 9 }] } };
    const site = await startInstalled();
    expect(await until(site, 'nested.await-nodes', site.context(many))).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringContaining('Insufficient nvidia.com/H100_SXM5_80GB'),
    });
  });

  it('a device plugin that offers too few', async () => {
    const site = await startInstalled({ faults: [{ effect: 'allocatable-is', value: 7 }] });
    expect(await until(site, 'kubevirt.await-allocatable')).toMatchObject({
      message: expect.stringMatching(/^Node h100-01 offers 7 of 8/),
    });
  });

  it('a VM that never starts', async () => {
    const site = await startInstalled({ faults: [{ effect: 'vm-never-starts' }] });
    expect(await until(site, 'nested.await-nodes')).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringMatching(/^0 of 1 VMs run; VirtualMachineInstance tenant-workload\/kubernetes-main-md0-/),
    });
  });

  it('a nested node whose driver offers nothing', async () => {
    const site = await startInstalled({ faults: [{ effect: 'nested-node-without-gpus' }] });
    expect(await until(site, 'nested.await-gpus')).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringMatching(/offers 0 of 2 nvidia.com\/gpu; .*ClusterPolicy is notReady/),
    });
  });

  it('a fabric that is not ready, with what to do', async () => {
    const site = await startInstalled({ faults: [{ effect: 'gpu-job-fails-802' }] });
    expect(await until(site, 'acceptance.await-job')).toMatchObject({
      type: 'AcceptanceFailed',
      message: expect.stringMatching(/^0 of 8 GPUs proven\. CUDA error 802: .*NVreg_NvLinkDisable=1/),
    });
  });

  it('a GPU below its minimum', async () => {
    const site = await startInstalled({ faults: [{ effect: 'gpu-job-slow' }] });
    expect(await until(site, 'acceptance.await-job')).toMatchObject({
      type: 'AcceptanceFailed',
      message: expect.stringMatching(/^1 of 8 GPUs proven\. GPU-\S+ .*memory copy 1480 GB\/s, at least 2700/),
    });
  });

  it('a Cozystack that somebody else has begun with other networks', async () => {
    const site = await start();
    const ctx = site.context();
    for (const name of ['cozystack.install-operator', 'cozystack.await-operator']) await perform(name, ctx);
    const cluster = await ctx.clusters.host(SPEC);
    await cluster.apply({
      apiVersion: 'cozystack.io/v1alpha1',
      kind: 'Package',
      metadata: { name: 'cozystack.cozystack-platform' },
      spec: { variant: 'isp-full-generic', components: { platform: { values: {} } } },
    });
    await expect(perform('cozystack.apply-platform', ctx)).rejects.toMatchObject({ type: 'ClusterConflict' });
  });

  it('a Cozystack version that these phases cannot install', async () => {
    const site = await start();
    const newer = { ...SPEC, cluster: { ...SPEC.cluster, cozystack: { ...SPEC.cluster.cozystack, version: '1.6.2' } } };
    await expect(perform('cozystack.install-operator', site.context(newer))).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringContaining('Talos'),
    });
  });
});

describe('a Node is kept free of new work', () => {
  it('while a run cordons it, and a cordon by a person stays', async () => {
    const site = await start();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    const node = { apiVersion: 'v1', kind: 'Node', name: SPEC.name };
    const since = await cordonNode(ctx);
    expect(await cordonNode(ctx)).toBe(since);
    expect((await cluster.get(node))?.['spec']).toMatchObject({ unschedulable: true });
    await uncordonNode(ctx);
    expect((await cluster.get(node))?.['spec']).not.toMatchObject({ unschedulable: true });

    await cluster.mergePatch(node, { spec: { unschedulable: true } });
    expect(await cordonNode(ctx)).not.toBeNull();
    await uncordonNode(ctx);
    expect((await cluster.get(node))?.['spec']).toMatchObject({ unschedulable: true });
  });
});
