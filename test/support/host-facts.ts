/**
 * A fresh, healthy host with eight GPUs on their native driver: every check of preflight is content with it.
 * @module
 */
import type { DiskFacts } from '../../src/domain/cluster/disks.js';
import type { HostFacts } from '../../src/domain/preflight/facts.js';
import type { PciDeviceFacts } from '../../src/domain/gpu/pci.js';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import { GPU_ADDRESSES } from './server-spec.js';

const GIB = 1024 ** 3;

export const nativeGpu = (address: string, index: number): PciDeviceFacts => ({
  address,
  vendorDevice: '10de:2330',
  class: '030200',
  driver: 'nvidia',
  driverOverride: null,
  iommuGroup: 20 + index,
  groupMembers: [],
  linkWidth: 16,
  maxLinkWidth: 16,
  configReadable: true,
  vfioNode: false,
});

export const EMPTY_DISK: DiskFacts = {
  id: '/dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001',
  device: '/dev/nvme1n1',
  type: 'disk',
  serial: 'S64GNE0R100001',
  model: 'SAMSUNG MZQL23T8HCLS-00A07',
  bytes: 3_840_755_982_336,
  readOnly: false,
  parts: [],
  mountpoints: [],
  signatures: [],
  holders: [],
};

export const HEALTHY_HOST: HostFacts = {
  runId: 'run-now',
  phases: PHASE_NAMES,
  identity: {
    hostname: 'h100-01',
    serial: '5XKQ1P3',
    osId: 'ubuntu',
    osVersion: '24.04',
    osName: 'Ubuntu 24.04.3 LTS',
    arch: 'x86_64',
    kernel: '6.8.0-60-generic',
    uid: 0,
    bootId: '3f2c0d51-6f0e-4d8a-9d55-0c1f6f3a7b21',
    uptimeSeconds: 1_036_800.5,
    commandLine: 'BOOT_IMAGE=/boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro quiet',
    virtualisation: true,
    iommuGroups: 120,
    unsafeNoiommu: false,
  },
  boot: {
    kernels: { '6.8.0-58-generic': 15_000_000, '6.8.0-60-generic': 15_000_000 },
    images: [
      { kernel: '6.8.0-58-generic', bytes: 70_000_000, mtime: 1_700_000_000 },
      { kernel: '6.8.0-60-generic', bytes: 72_000_000, mtime: 1_790_000_000 },
    ],
    bootTime: 1_790_000_500,
    defaultKernel: '6.8.0-60-generic',
    knownGood: false,
    efi: true,
    secureBoot: false,
    grubFs: 'ext2',
    grubAbstraction: '',
    mountFs: 'ext4',
    mountOptions: ['rw', 'relatime'],
    grubenvBytes: 1_024,
    grubenv: { recordfail: '', next_entry: '' },
    settings: { GRUB_TIMEOUT: '0', GRUB_DEFAULT: '0' },
    customCfg: 'absent',
    customCfgRead: true,
    kexecLoaded: false,
    nextroot: false,
    rebootRequired: false,
    rebootRequiredBy: [],
    fstab: { ok: true, text: 'Success, no errors or warnings detected' },
  },
  initramfs: {
    owner: 'initramfs-tools',
    dracut: false,
    updateInitramfs: 'yes',
    initTop: [],
    overrideWriters: [],
  },
  system: {
    space: {
      '/boot': { bytes: 1 * GIB, inodes: 60_000, mountOptions: ['rw'] },
      '/var/lib': { bytes: 400 * GIB, inodes: 9_000_000, mountOptions: ['rw'] },
      '/var/tmp': { bytes: 400 * GIB, inodes: 9_000_000, mountOptions: ['rw'] },
    },
    dpkgAudit: [],
    lockHolders: [],
    mollyGuard: false,
    state: 'running',
    inhibitors: [],
    cloudInit: 'done',
    clockSynchronized: true,
    earlierBootSeconds: [660, 720, 960],
    ourUnits: [],
  },
  devices: GPU_ADDRESSES.map(nativeGpu),
  bmc: { kind: 'ipmi', problem: null, power: 'on', serial: '5XKQ1P3' },
  failedUnits: [],
  stuckProcesses: [],
  workloads: { known: true, value: { vms: [], gpuProcesses: [], foreignPods: [] } },
  k3s: { known: true, value: { version: null, config: null, unit: null, hasState: false } },
  reach: { asked: 8, silent: [] },
  clusterConflicts: { known: true, value: [] },
  storage: { pool: { known: true, value: null }, disks: [EMPTY_DISK] },
  ledger: { holder: null, state: 'none', server: null, at: null, problem: null },
};
