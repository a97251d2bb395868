import { describe, expect, it } from 'vitest';
import { createPool, describePool, isOnline, poolOn, poolProblem, storageClasses } from './storage.js';

/** As `linstor -m --output-version=v1 storage-pool list` prints it. */
const POOLS = JSON.stringify([
  [
    {
      storage_pool_name: 'data',
      node_name: 'h100-01',
      provider_kind: 'ZFS',
      props: { 'StorDriver/StorPoolName': 'data', 'Aux/gpu-provision/run': 'run-1' },
      free_capacity: 3_650_000_000,
      total_capacity: 3_750_000_000,
      reports: [],
    },
  ],
]);

describe("LINSTOR's answers", () => {
  it('a pool counts on its own node only', () => {
    const pool = poolOn(POOLS, 'h100-01', 'data');
    expect(pool).toMatchObject({ kind: 'ZFS', run: 'run-1', problems: [] });
    expect(poolOn(POOLS, 'h100-02', 'data')).toBeNull();
    expect(poolOn(POOLS, 'h100-01', 'other')).toBeNull();
  });

  it('what is no list is never taken for an empty one', () => {
    for (const output of ['', 'Error: no route to host', '{}', '[{}]'])
      expect([poolOn(output, 'h100-01', 'data'), isOnline(output, 'h100-01')]).toEqual([undefined, null]);
    expect([poolOn('[[]]', 'h100-01', 'data'), isOnline('[[]]', 'h100-01')]).toEqual([null, false]);
  });

  it('a satellite is online when LINSTOR says so', () => {
    const nodes = (status: string): string => JSON.stringify([[{ name: 'h100-01', connection_status: status }]]);
    expect([isOnline(nodes('ONLINE'), 'h100-01'), isOnline(nodes('OFFLINE'), 'h100-01')]).toEqual([true, false]);
  });

  it('a pool with a report, without capacity or of another kind is a problem', () => {
    const good = { kind: 'ZFS', freeKib: 1, totalKib: 2, problems: [], run: null };
    expect(poolProblem(good, 'zfs')).toBeNull();
    expect(poolProblem(good, 'lvm')).toMatch(/is ZFS, wanted LVM/);
    expect(poolProblem(good, null)).toBeNull();
    expect(poolProblem({ ...good, totalKib: 0 }, null)).toMatch(/no capacity/);
    expect(poolProblem({ ...good, problems: ['no such zpool'] }, null)).toBe('no such zpool');
    expect(describePool('data', { ...good, freeKib: 3_650_000_000, totalKib: 3_750_000_000 })).toBe(
      'pool data (ZFS, 3.5 TiB, 3.4 TiB free)',
    );
  });
});

it('the pool is made as Cozystack makes it', () => {
  expect(createPool({ pool: 'data', backend: 'zfs' }, 'h100-01', ['/dev/nvme1n1', '/dev/nvme2n1']).join(' ')).toBe(
    '/usr/local/bin/k3s kubectl exec --namespace cozy-linstor deploy/linstor-controller -- linstor physical-storage create-device-pool zfs h100-01 /dev/nvme1n1 /dev/nvme2n1 --pool-name data --storage-pool data',
  );
});

it('both classes are in the pool, and one copy is enough for one node', () => {
  const [local, replicated] = storageClasses({ pool: 'fast', backend: 'lvm' });
  expect(local?.metadata.annotations).toEqual({ 'storageclass.kubernetes.io/is-default-class': 'true' });
  expect(local?.['parameters']).toMatchObject({ 'linstor.csi.linbit.com/storagePool': 'fast' });
  expect(replicated?.['parameters']).toMatchObject({
    'linstor.csi.linbit.com/storagePool': 'fast',
    'linstor.csi.linbit.com/autoPlace': '1',
  });
});
