/**
 * The first server of the mission, as the inventory loader would resolve it; figures are invented.
 * @module
 */
import type { ServerSpec } from '../../src/domain/spec.js';

export const GPU_ADDRESSES = ['0a', '18', '3b', '44', '87', '90', 'b8', 'c1'].map((bus) => `0000:${bus}:00.0`);

export function serverSpec(change: Partial<ServerSpec> = {}): ServerSpec {
  return {
    name: 'h100-01',
    site: 'fra1',
    role: 'server',
    nodeIP: '10.0.0.11',
    serial: '5XKQ1P3',
    ssh: { host: '192.0.2.11', port: 22, user: 'ubuntu', key: 'file:/keys/fra1_ed25519', knownHosts: '/known_hosts' },
    bmc: { kind: 'ipmi', host: '192.0.2.111', port: 623, cipherSuite: 17, credentials: 'env:BMC_H100_01' },
    gpus: { id: '10de:2330', addresses: GPU_ADDRESSES, resource: 'nvidia.com/H100_SXM5_80GB', nvswitch: 'none' },
    boot: {
      strategy: 'known-good',
      deadManSeconds: 1_800,
      approvalExpiresSeconds: 86_400,
      approvalReminderSeconds: 14_400,
      settleSeconds: 120,
      verifySeconds: 900,
      ladder: { waitSeconds: 2_100, lookSeconds: 1_200, gracefulSeconds: 600, powerCycleSeconds: 1_200 },
    },
    workloads: 'refuse',
    cluster: {
      name: 'fra1-a',
      k3s: { version: 'v1.35.3+k3s1', token: null },
      cozystack: { version: '1.5.4', host: 'example.org', externalIPs: ['192.0.2.11'] },
      storage: { pool: 'data', backend: 'zfs' },
      nested: [],
      acceptance: 'nested',
    },
    mirrors: { apt: null, k3s: null, charts: null, registries: null },
    disks: ['/dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001'],
    ...change,
  };
}
