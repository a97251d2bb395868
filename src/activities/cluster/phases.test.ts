import { describe, expect, it } from 'vitest';
import {
  CLUSTER_PHASES,
  NESTED,
  performPhases,
  planned,
  POLL,
  SPEC,
  start,
  startInstalled,
  undo,
} from '../../../test/support/cluster-site.js';
import { KUBEVIRT_PACKAGE_REF, KUBEVIRT_REF } from '../../domain/cluster/kubevirt.js';
import { withdrawGpus } from '../kubevirt.js';
import { cordonNode, uncordonNode } from '../workloads.js';

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
    await expect
      .poll(() => cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'tenant-workload' }), POLL)
      .toBeNull();
    const kubevirt = await cluster.get({
      apiVersion: 'kubevirt.io/v1',
      kind: 'KubeVirt',
      namespace: 'cozy-kubevirt',
      name: 'kubevirt',
    });
    expect(JSON.stringify(kubevirt)).not.toContain('10DE:2330');
  });

  it('withdraw the GPUs whichever run permitted them, and leave what a person permitted', async () => {
    const site = await startInstalled();
    await performPhases(['kubevirt'], site.context());
    const ctx = site.context(SPEC, 'run-2');
    const anyRun = (by: string | undefined): boolean => by !== undefined;
    expect(await withdrawGpus(ctx, anyRun)).toHaveLength(2);
    const cluster = await ctx.clusters.host(SPEC);
    expect(JSON.stringify(await cluster.get(KUBEVIRT_REF))).not.toContain('10DE:2330');
    await performPhases(['kubevirt'], ctx);
    for (const ref of [KUBEVIRT_REF, KUBEVIRT_PACKAGE_REF])
      await cluster.mergePatch(ref, { metadata: { annotations: { 'gpu-provision/permitted-by': null } } });
    expect(await withdrawGpus(ctx, anyRun)).toEqual([]);
    expect(JSON.stringify(await cluster.get(KUBEVIRT_REF))).toContain('10DE:2330');
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
    await first.api.close();
    const second = await start({ folder: first.folder, pool: true });
    const results = await performPhases(CLUSTER_PHASES, second.context());
    expect(results.get('nested.await-gpus')?.summary).toBe('tenant-workload/main: 2 GPUs allocatable');
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
