import { describe, expect, it, vi } from 'vitest';
import {
  failureOf,
  isolated,
  NESTED,
  patchAs,
  perform,
  performPhases,
  POLL,
  SPEC,
  start,
  startInstalled,
  until,
  type Options,
} from '../../../test/support/cluster-site.js';
import { HOST_GPU_OPERATOR_REF, KUBEVIRT_REF } from '../../domain/cluster/kubevirt.js';
import type { FailureType } from '../../domain/run/failures.js';
import type { ServerSpec } from '../../domain/spec.js';
import { clusterConflicts } from './conflicts.js';

describe('traps of the platform', () => {
  it('a device plugin that lost its GPUs at a restart gets a new virt-handler, once', async () => {
    const before = await startInstalled();
    await performPhases(['cozystack', 'kubevirt'], before.context());
    // virt-handler has been up for long, so it will not find them by itself any more.
    const pods = await (
      await before.context().clusters.host(SPEC)
    ).list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'cozy-kubevirt',
      labelSelector: 'kubevirt.io=virt-handler',
    });
    for (const { metadata } of pods)
      await patchAs(before.api, 'kubelet', `/api/v1/namespaces/cozy-kubevirt/pods/${metadata.name}/status`, {
        status: { startTime: '2026-01-01T00:00:00Z' },
      });
    await before.api.close();
    const site = await start({
      folder: before.folder,
      pool: true,
      faults: [{ effect: 'allocatable-lost-after-restart' }],
    });
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
    const root = { apiVersion: 'apps.cozystack.io/v1alpha1', kind: 'Tenant', namespace: 'tenant-root', name: 'root' };
    await cluster.mergePatch(root, { spec: { etcd: false } });
    const etcd = {
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      namespace: 'tenant-root',
      name: 'etcd',
    };
    await cluster.delete(etcd);
    await expect.poll(() => cluster.get(etcd), POLL).toBeNull();
    for (const name of ['nested.create-tenant', 'nested.await-tenant', 'nested.create-cluster'])
      await perform(name, ctx);
    const why = /^ConfigMap tenant-workload\/kubernetes-main-awaiting-etcd exists: no tenant above/;
    expect(await failureOf('nested.fix-size', why, ctx)).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringMatching(why),
    });
  });

  it('a GPU Operator in the host cluster is a conflict, told in preflight: it would offer the GPUs twice', async () => {
    const site = await startInstalled();
    const ctx = site.context();
    const cluster = await ctx.clusters.host(SPEC);
    const { apiVersion, kind, name } = HOST_GPU_OPERATOR_REF;
    await cluster.apply({ apiVersion, kind, metadata: { name }, spec: { variant: 'default' } });
    const why = 'Package cozystack.gpu-operator is installed in the host cluster, and its device plugin would offer';
    expect((await clusterConflicts(ctx)).join()).toContain(why);
    await expect(perform('kubevirt.permit-gpus', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringContaining(why),
    });
    expect(JSON.stringify(await cluster.get(KUBEVIRT_REF))).not.toContain('pciHostDevices');
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
    const message = `HelmRelease ${subject} (InstallFailed, Helm install failed`;
    expect(await until(site, step, message)).toMatchObject({
      type: 'NotReadyYet',
      message: expect.stringContaining(message),
    });
  });

  interface Held {
    readonly what: string;
    readonly options: Options;
    readonly step: string;
    readonly type: FailureType;
    readonly message: RegExp;
    readonly spec?: ServerSpec;
  }
  const many = { ...SPEC, cluster: { ...SPEC.cluster, nested: [{ ...NESTED, gpusPerNode: 9 }] } };
  it.each<Held>([
    {
      what: 'GPUs that are not on vfio-pci',
      options: { devices: isolated.map((d, i) => (i === 3 ? { ...d, driver: 'nvidia' } : d)) },
      step: 'kubevirt.await-allocatable',
      type: 'NotReadyYet',
      message: /^Node h100-01 offers 7 of 8 nvidia.com\/H100_SXM5_80GB/,
    },
    {
      what: 'a device plugin that offers too few',
      options: { faults: [{ effect: 'allocatable-is', value: 7 }] },
      step: 'kubevirt.await-allocatable',
      type: 'NotReadyYet',
      message: /^Node h100-01 offers 7 of 8/,
    },
    {
      what: 'a device plugin that offers nothing',
      options: { faults: [{ effect: 'allocatable-is', value: 0 }] },
      step: 'kubevirt.await-allocatable',
      type: 'NotReadyYet',
      message: /^Node h100-01 offers 0 of 8/,
    },
    {
      what: 'a VM for which no GPU is left',
      options: {},
      step: 'nested.await-nodes',
      type: 'NotReadyYet',
      message: /Insufficient nvidia.com\/H100_SXM5_80GB/,
      spec: many,
    },
    {
      what: 'a VM that never starts',
      options: { faults: [{ effect: 'vm-never-starts' }] },
      step: 'nested.await-nodes',
      type: 'NotReadyYet',
      message: /^0 of 1 VMs run; VirtualMachineInstance tenant-workload\/kubernetes-main-md0-/,
    },
    {
      what: 'a nested node whose driver offers nothing',
      options: { faults: [{ effect: 'nested-node-without-gpus' }] },
      step: 'nested.await-gpus',
      type: 'NotReadyYet',
      message: /offers 0 of 2 nvidia.com\/gpu; .*ClusterPolicy is notReady/,
    },
    {
      what: 'a fabric that is not ready, with what to do',
      options: { faults: [{ effect: 'gpu-job-fails-802' }] },
      step: 'acceptance.await-job',
      type: 'AcceptanceFailed',
      message: /^0 of 8 GPUs proven\. CUDA error 802: .*NVreg_NvLinkDisable=1/,
    },
    {
      what: 'a GPU below its minimum',
      options: { faults: [{ effect: 'gpu-job-slow' }] },
      step: 'acceptance.await-job',
      type: 'AcceptanceFailed',
      message: /^1 of 8 GPUs proven\. GPU-\S+ .*memory copy 1480 GB\/s, at least 2700/,
    },
  ])('$what', async ({ options, step, type, message, spec }) => {
    const site = await startInstalled(options);
    const failure = await until(site, step, message, site.context(spec));
    expect(failure).toMatchObject({ type, message: expect.stringMatching(message) });
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
