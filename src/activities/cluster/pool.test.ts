import { describe, expect, it } from 'vitest';
import { DISK_ID, perform, POLL, SPEC, start, startInstalled, type Site } from '../../../test/support/cluster-site.js';
import { stepsOf } from '../../domain/run/steps.js';
import type { StepContext } from '../define-step.js';
import { readDiskPlan } from '../storage.js';

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
      await expect.poll(() => cluster.get(ref), POLL).toBeNull();
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
