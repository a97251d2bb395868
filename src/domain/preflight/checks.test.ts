import { describe, expect, it } from 'vitest';
import { EMPTY_DISK, HEALTHY_HOST, nativeGpu } from '../../../test/support/host-facts.js';
import { GPU_ADDRESSES, serverSpec } from '../../../test/support/server-spec.js';
import { K3S_UNIT_TEXT, k3sConfig, type FoundK3s } from '../cluster/k3s.js';
import type { PciDeviceFacts } from '../gpu/pci.js';
import type { CheckResult } from '../preflight.js';
import type { ServerSpec } from '../spec.js';
import { CHECKS, judge } from './checks.js';
import type { HostFacts } from './facts.js';

type Area = 'identity' | 'boot' | 'initramfs' | 'system' | 'bmc' | 'ledger';
const host = <A extends Area>(area: A, change: Partial<HostFacts[A]>): HostFacts => ({
  ...HEALTHY_HOST,
  [area]: { ...HEALTHY_HOST[area], ...change },
});
const gpu = (change: Partial<PciDeviceFacts>): HostFacts => ({
  ...HEALTHY_HOST,
  devices: HEALTHY_HOST.devices.map((device, index) => (index === 2 ? { ...device, ...change } : device)),
});
const extra = (change: Partial<PciDeviceFacts>): HostFacts => ({
  ...HEALTHY_HOST,
  devices: [...HEALTHY_HOST.devices, { ...nativeGpu('0000:e1:00.0', 90), ...change }],
});
const running = (change: Partial<{ vms: string[]; gpuProcesses: string[]; foreignPods: string[] }>): HostFacts => ({
  ...HEALTHY_HOST,
  workloads: { known: true, value: { vms: [], gpuProcesses: [], foreignPods: [], ...change } },
});
const full = { bytes: 1_000, inodes: 60_000, mountOptions: [] };
const spaceOf = (dir: string, change: Partial<typeof full>): HostFacts =>
  host('system', { space: { ...HEALTHY_HOST.system.space, [dir]: { ...full, bytes: 1e12, ...change } } });
const withK3s = (found: Partial<FoundK3s>): HostFacts => ({
  ...HEALTHY_HOST,
  k3s: {
    known: true,
    value: { version: 'v1.35.3+k3s1', config: k3sConfig(serverSpec()), unit: K3S_UNIT_TEXT, hasState: true, ...found },
  },
});

const withStorage = (change: Partial<HostFacts['storage']>): HostFacts => ({
  ...HEALTHY_HOST,
  storage: { ...HEALTHY_HOST.storage, ...change },
});
const POOL = { kind: 'ZFS', freeKib: 3_650_000_000, totalKib: 3_750_000_000, problems: [], run: null };

function resultOf(id: string, facts: HostFacts, spec = serverSpec()): CheckResult {
  const result = judge(facts, spec).checks.find((check) => check.id === id);
  if (result === undefined) throw new RangeError(`no check ${id}`);
  return result;
}

/** Check, bad host, what it means, what it says. */
const BAD: readonly (readonly [id: string, severity: 'warn' | 'block', says: string, facts: HostFacts])[] = [
  ['identity.serial', 'block', 'not 5XKQ1P3', host('identity', { serial: 'OTHER' })],
  ['identity.serial', 'block', 'the BMC belongs to serial ZZZ', host('bmc', { serial: 'ZZZ' })],
  ['identity.serial', 'block', 'cannot be read', host('identity', { serial: null })],
  ['identity.hostname', 'warn', 'calls itself ubuntu', host('identity', { hostname: 'ubuntu' })],
  ['os.release', 'block', 'Ubuntu 22.04', host('identity', { osVersion: '22.04', osName: 'Ubuntu 22.04 LTS' })],
  ['os.architecture', 'block', 'aarch64', host('identity', { arch: 'aarch64' })],
  ['access.root', 'block', 'uid 1000', host('identity', { uid: 1_000 })],
  ['boot.id', 'block', 'cannot be read', host('identity', { bootId: null })],
  ['bmc.power', 'block', 'does not answer: timeout', host('bmc', { problem: 'timeout' })],
  ['bmc.power', 'block', 'power off', host('bmc', { power: 'off' })],
  ['bmc.power', 'warn', 'no BMC', host('bmc', { kind: 'none', serial: null })],
  ['run.ledger', 'block', 'garbled', host('ledger', { problem: 'the ledger is garbled' })],
  ['run.ledger', 'block', 'as h100-02', host('ledger', { holder: 'run-old', state: 'open', server: 'h100-02' })],
  ['run.ledger', 'warn', 'run run-old never gave', host('ledger', { holder: 'run-old', state: 'open' })],
  [
    'run.ledger',
    'block',
    'run run-old is still at work: 1 unit',
    {
      ...host('ledger', { holder: 'run-old', state: 'open' }),
      system: { ...HEALTHY_HOST.system, ourUnits: ['gpu-provision-run-old-x.service'] },
    },
  ],
  [
    'run.open-trial',
    'block',
    'trial boot of run run-old',
    {
      ...host('ledger', { state: 'open' }),
      identity: { ...HEALTHY_HOST.identity, commandLine: 'BOOT_IMAGE=/vmlinuz ro gpu-provision.trial=run-old' },
    },
  ],
  [
    'run.open-trial',
    'block',
    'trial boot of run run-old',
    host('identity', { commandLine: 'BOOT_IMAGE=/vmlinuz ro gpu-provision.trial=run-old' }),
  ],
  [
    'kernel.pending',
    'block',
    '6.8.0-100-generic is installed',
    host('boot', {
      images: [...HEALTHY_HOST.boot.images, { kernel: '6.8.0-100-generic', bytes: 1, mtime: 1 }],
    }),
  ],
  ['kernel.pending', 'block', 'default entry is unknown', host('boot', { defaultKernel: null })],
  ['kernel.pending', 'block', 'unknown', host('boot', { images: [] })],
  ['kernel.reboot-required', 'warn', 'libc6', host('boot', { rebootRequired: true, rebootRequiredBy: ['libc6'] })],
  ['initrd.booted', 'block', 'rebuilt after this boot', host('boot', { bootTime: 1_789_999_999 })],
  ['initrd.booted', 'block', 'unknown', host('boot', { bootTime: null })],
  ['initramfs.generator', 'block', 'dracut', host('initramfs', { dracut: true })],
  ['initramfs.generator', 'block', 'no package', host('initramfs', { owner: null })],
  ['initramfs.enabled', 'block', 'update_initramfs=no', host('initramfs', { updateInitramfs: 'no' })],
  ['initramfs.foreign-scripts', 'warn', '/etc/x', host('initramfs', { initTop: ['/etc/x'] })],
  [
    'driver.other-override',
    'block',
    '/etc/driverctl.d/a',
    host('initramfs', { overrideWriters: ['/etc/driverctl.d/a'] }),
  ],
  ['driver.other-override', 'block', 'ids=10de:2330', host('identity', { commandLine: 'ro vfio-pci.ids=10de:2330' })],
  ['boot.grub', 'block', 'no GRUB', host('boot', { grubFs: null })],
  ['boot.grub', 'block', 'cannot be told', host('boot', { defaultKernel: null })],
  ['boot.file-system', 'block', 'xfs', host('boot', { mountFs: 'xfs' })],
  ['boot.file-system', 'block', 'data=journal', host('boot', { mountOptions: ['rw', 'data=journal'] })],
  ['boot.file-system', 'block', 'read-only', host('boot', { mountOptions: ['ro'] })],
  ['boot.abstraction', 'block', 'mdraid1x', host('boot', { grubAbstraction: 'diskfilter mdraid1x' })],
  ['boot.environment', 'block', 'no bytes', host('boot', { grubenvBytes: null })],
  ['boot.environment', 'block', '512 bytes', host('boot', { grubenvBytes: 512 })],
  ['boot.environment', 'block', 'cannot read', host('boot', { grubenv: null })],
  ['boot.sticky-values', 'block', 'initrdfail=1', host('boot', { grubenv: { initrdfail: '1' } })],
  ['boot.sticky-values', 'block', 'next_entry=2', host('boot', { grubenv: { next_entry: '2' } })],
  ['boot.partuuid', 'block', 'without an initrd', host('boot', { settings: { GRUB_FORCE_PARTUUID: 'abc' } })],
  ['boot.custom-cfg', 'block', "somebody else's", host('boot', { customCfg: 'foreign' })],
  ['boot.custom-cfg-read', 'block', 'does not read custom.cfg', host('boot', { customCfgRead: false })],
  ['boot.timeout', 'block', 'GRUB_TIMEOUT', host('boot', { settings: { GRUB_TIMEOUT: '-1' } })],
  ['boot.secure-boot', 'warn', 'is on', host('boot', { secureBoot: true })],
  ['boot.secure-boot', 'warn', 'cannot be told', host('boot', { secureBoot: null })],
  ['boot.kexec', 'block', 'kexec kernel is loaded', host('boot', { kexecLoaded: true })],
  ['boot.kexec', 'block', 'cannot be told', host('boot', { kexecLoaded: null })],
  ['boot.soft-reboot', 'block', '/run/nextroot', host('boot', { nextroot: true })],
  ['boot.fstab', 'block', 'unreachable', host('boot', { fstab: { ok: false, text: '/data: unreachable' } })],
  ['boot.fstab', 'block', 'cannot check', host('boot', { fstab: null })],
  ['cpu.virtualisation', 'block', 'VT-x', host('identity', { virtualisation: false })],
  ['iommu.on', 'block', 'no IOMMU groups', host('identity', { iommuGroups: 0 })],
  ['iommu.command-line', 'block', 'intel_iommu=off', host('identity', { commandLine: 'ro intel_iommu=off' })],
  [
    'iommu.command-line',
    'block',
    'pcie_acs_override',
    host('identity', { commandLine: 'pcie_acs_override=downstream' }),
  ],
  ['iommu.command-line', 'block', 'noiommu', host('identity', { unsafeNoiommu: true })],
  ['gpu.present', 'block', '0000:3b:00.0 is 10de:2335', gpu({ vendorDevice: '10de:2335' })],
  ['gpu.present', 'block', '0000:3b:00.0 is empty', gpu({ address: '0000:3c:00.0' })],
  ['gpu.extra', 'warn', '0000:e1:00.0', extra({})],
  ['gpu.groups', 'block', 'no IOMMU group: 0000:3b:00.0', gpu({ iommuGroup: null })],
  ['gpu.groups', 'block', 'with 0000:19:00.0', gpu({ groupMembers: ['0000:19:00.0'] })],
  ['gpu.link-width', 'warn', 'x8 of x16', gpu({ linkWidth: 8 })],
  ['gpu.config-space', 'block', 'fallen off the bus: 0000:3b:00.0', gpu({ configReadable: false })],
  ['gpu.foreign-vfio', 'block', '15b3:1021', extra({ vendorDevice: '15b3:1021', driver: 'vfio-pci' })],
  ['fabric.nvlink', 'warn', 'without NVLink', extra({ vendorDevice: '10de:22a3' })],
  ['space.boot', 'block', 'needed are 249 MiB', spaceOf('/boot', { bytes: 1e8 })],
  ['space.boot', 'block', '7 inodes', spaceOf('/boot', { inodes: 7 })],
  ['space.var-lib', 'block', 'needed are 20.0 GiB', spaceOf('/var/lib', { bytes: 1e9 })],
  ['space.var-tmp', 'block', 'needed are 2.0 GiB', spaceOf('/var/tmp', { bytes: 1e9 })],
  [
    'space.var-tmp',
    'block',
    'noexec',
    host('system', {
      space: { ...HEALTHY_HOST.system.space, '/var/tmp': { bytes: 1e12, inodes: null, mountOptions: ['noexec'] } },
    }),
  ],
  ['packages.audit', 'block', 'half installed: linux-image', host('system', { dpkgAudit: ['linux-image'] })],
  ['packages.audit', 'block', 'failed', host('system', { dpkgAudit: null })],
  ['packages.lock', 'block', 'apt-get (pid 7)', host('system', { lockHolders: ['apt-get (pid 7)'] })],
  ['packages.lock', 'block', 'cannot be listed', host('system', { lockHolders: null })],
  ['system.state', 'block', 'maintenance', host('system', { state: 'maintenance' })],
  ['system.failed-units', 'warn', '1 unit failed: a.service', { ...HEALTHY_HOST, failedUnits: ['a.service'] }],
  ['system.stuck-processes', 'block', 'nfsd (pid 3)', { ...HEALTHY_HOST, stuckProcesses: ['nfsd (pid 3)'] }],
  ['system.inhibitors', 'block', 'backup', host('system', { inhibitors: ['backup 0 root 7 b shutdown x block'] })],
  ['system.molly-guard', 'warn', 'installed', host('system', { mollyGuard: true })],
  ['system.cloud-init', 'block', 'running', host('system', { cloudInit: 'running' })],
  ['system.cloud-init', 'warn', 'error', host('system', { cloudInit: 'error' })],
  ['system.clock', 'warn', 'not synchronised', host('system', { clockSynchronized: null })],
  [
    'boot.post',
    'warn',
    '1 earlier boot took 30 min; reboot alarm set to 35 min',
    host('system', { earlierBootSeconds: [1_800] }),
  ],
  [
    'workloads.vm',
    'block',
    '2 VMs run here: tenant-a/db-0, tenant-b/web-1',
    running({ vms: ['tenant-a/db-0', 'tenant-b/web-1'] }),
  ],
  [
    'workloads.gpu-process',
    'block',
    '1 process runs on a GPU: python (pid 9)',
    running({ gpuProcesses: ['python (pid 9)'] }),
  ],
  ['workloads.pod', 'block', 'shop/web-1', running({ foreignPods: ['shop/web-1'] })],
  ['workloads.pod', 'block', 'fuser', { ...HEALTHY_HOST, workloads: { known: false, problem: 'fuser is missing' } }],
  ['k3s.settings', 'block', 'k3s v1.30.0+k3s1 is installed', withK3s({ version: 'v1.30.0+k3s1' })],
  [
    'k3s.settings',
    'block',
    'cluster-cidr',
    withK3s({ config: { ...k3sConfig(serverSpec()), 'cluster-cidr': '10.244.0.0/16' } }),
  ],
  ['k3s.settings', 'block', 'not YAML', { ...HEALTHY_HOST, k3s: { known: false, problem: 'config.yaml is not YAML' } }],
  [
    'cluster.objects',
    'block',
    'another version',
    { ...HEALTHY_HOST, clusterConflicts: { known: true, value: ['another version'] } },
  ],
  [
    'cluster.objects',
    'block',
    'cannot be told: gone',
    { ...HEALTHY_HOST, clusterConflicts: { known: false, problem: 'gone' } },
  ],
  [
    'network.downloads',
    'block',
    'cannot reach container images of nvcr.io',
    {
      ...HEALTHY_HOST,
      reach: {
        asked: 8,
        silent: [{ what: 'container images of nvcr.io', mirror: 'registries', urls: ['https://nvcr.io/v2/ 000'] }],
      },
    },
  ],
  ['storage.pool', 'block', 'no disk for one', withStorage({ disks: [] })],
  ['storage.pool', 'block', 'is not empty: ext4', withStorage({ disks: [{ ...EMPTY_DISK, signatures: ['ext4'] }] })],
  ['storage.pool', 'block', 'cannot be told: silent', withStorage({ pool: { known: false, problem: 'silent' } })],
  [
    'storage.pool',
    'block',
    'no such zpool',
    withStorage({ pool: { known: true, value: { ...POOL, problems: ['no such zpool'] } } }),
  ],
];

describe('preflight', () => {
  it('is content with a healthy host', () => {
    const report = judge(HEALTHY_HOST, serverSpec());
    expect(report.checks.filter((check) => check.severity !== 'ok')).toEqual([]);
    expect(report).toMatchObject({ blocks: 0, warns: 0, isolated: false });
  });

  it('lets a host be whose trial was committed: its token stays until the next boot', () => {
    const facts = {
      ...host('ledger', { state: 'committed' }),
      identity: { ...HEALTHY_HOST.identity, commandLine: 'BOOT_IMAGE=/vmlinuz ro gpu-provision.trial=run-old' },
    };
    expect(resultOf('run.open-trial', facts).severity).toBe('ok');
  });

  it.each(BAD)('%s: %s, "%s"', (id, severity, says, facts) => {
    const spec = facts.bmc.kind === 'none' ? serverSpec({ bmc: { kind: 'none' } }) : serverSpec();
    const result = resultOf(id, facts, spec);
    expect(result.severity).toBe(severity);
    expect(result.text).toContain(says);
    expect(result.remedy).not.toBe('');
  });

  it('has a bad host for every check, and each check once', () => {
    const ids = CHECKS.map((check) => check.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !BAD.some(([tried]) => tried === id))).toEqual([]);
  });

  it('accepts k3s as this system sets it up', () => {
    expect(resultOf('k3s.settings', withK3s({})).severity).toBe('ok');
  });

  it('uses a pool that is there, whatever the disks look like: they are its own', () => {
    const disks = [{ ...EMPTY_DISK, signatures: ['zfs_member'] }];
    const result = resultOf('storage.pool', withStorage({ pool: { known: true, value: POOL }, disks }));
    expect(result).toMatchObject({ severity: 'ok', text: 'LINSTOR pool data (ZFS, 3.5 TiB, 3.4 TiB free) is there' });
  });

  it('says which disks a person will be asked about', () => {
    expect(resultOf('storage.pool', HEALTHY_HOST).text).toBe(
      '1 empty disk for pool data (zfs): SAMSUNG MZQL23T8HCLS-00A07 3.84 TB serial S64GNE0R100001',
    );
  });

  it('wants no storage of a run that stops before the platform', () => {
    const facts: HostFacts = { ...withStorage({ disks: [] }), phases: ['preflight', 'gpu-isolation'] };
    expect(resultOf('storage.pool', facts).severity).toBe('ok');
  });

  it.each([
    ['nested', 'ok'],
    ['all', 'block'],
  ] as const)('with acceptance %s, a run of phase 8 alone and something in its way: %s', (acceptance, severity) => {
    const conflict = { known: true, value: ['Tenant tenant-root/gpuprovision is there already'] } as const;
    const facts: HostFacts = { ...HEALTHY_HOST, phases: ['preflight', 'acceptance'], clusterConflicts: conflict };
    const spec = serverSpec({ cluster: { ...serverSpec().cluster, acceptance } });
    expect(resultOf('cluster.objects', facts, spec).severity).toBe(severity);
  });

  it('accepts a rebuilt image when a known-good copy of what booted is there', () => {
    expect(resultOf('initrd.booted', host('boot', { bootTime: 1, knownGood: true })).severity).toBe('ok');
  });

  it('does not count the run that asks as another', () => {
    expect(resultOf('run.ledger', host('ledger', { holder: 'run-now', state: 'open' })).severity).toBe('ok');
  });

  it('says three boots as people would', () => {
    expect(resultOf('boot.post', HEALTHY_HOST).text).toBe(
      '3 earlier boots took 11, 12 and 16 min; reboot alarm set to 35 min',
    );
  });

  describe('with strategy direct', () => {
    const boot: ServerSpec['boot'] = { ...serverSpec().boot, strategy: 'direct' };

    it.each<[string, HostFacts]>([
      ['boot.file-system', host('boot', { mountFs: 'xfs' })],
      ['boot.abstraction', host('boot', { grubAbstraction: 'lvm' })],
      ['boot.environment', host('boot', { grubenv: null })],
    ])('%s only warns', (id, facts) => {
      expect(resultOf(id, facts, serverSpec({ boot })).severity).toBe('warn');
    });

    it('a missing BMC blocks: nothing else could bring the host back', () => {
      const facts = host('bmc', { kind: 'none', serial: null });
      expect(resultOf('bmc.power', facts, serverSpec({ boot, bmc: { kind: 'none' } })).severity).toBe('block');
    });
  });

  it('only warns about workloads that the inventory says to stop', () => {
    expect(resultOf('workloads.vm', running({ vms: ['a/b'] }), serverSpec({ workloads: 'stop' })).severity).toBe(
      'warn',
    );
  });

  describe('on a host that is isolated already', () => {
    const isolated = (facts: HostFacts): HostFacts => ({
      ...facts,
      ledger: { ...HEALTHY_HOST.ledger, state: 'committed' },
      devices: HEALTHY_HOST.devices.map((device) => ({ ...device, driver: 'vfio-pci' })),
    });

    it('does not hold against it what matters to a reboot only', () => {
      const result = resultOf('workloads.vm', isolated(running({ vms: ['tenant-a/db-0'] })));
      expect(result).toMatchObject({
        severity: 'ok',
        text: '1 VM runs here: tenant-a/db-0; no reboot is needed',
        remedy: '',
      });
    });

    it('still blocks on what matters to everything', () => {
      expect(resultOf('identity.serial', isolated(host('identity', { serial: 'X' }))).severity).toBe('block');
    });
  });

  it('remembers how the host was', () => {
    const { baseline } = judge({ ...HEALTHY_HOST, failedUnits: ['a.service'] }, serverSpec());
    expect(baseline.failedUnits).toEqual(['a.service']);
    expect(Object.keys(baseline.nativeDrivers)).toEqual(GPU_ADDRESSES);
    expect(baseline.nativeDrivers['0000:3b:00.0']).toBe('nvidia');
    expect(baseline.linkWidths['0000:3b:00.0']).toBe(16);
  });

  it('stays small, however much is wrong', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => `namespace-with-a-long-name-${index}/pod-${index}`);
    const facts: HostFacts = {
      ...running({ vms: many, gpuProcesses: many, foreignPods: many }),
      failedUnits: many,
      identity: { ...HEALTHY_HOST.identity, serial: 'x'.repeat(5_000), osName: 'y'.repeat(5_000), osId: 'debian' },
      initramfs: { ...HEALTHY_HOST.initramfs, overrideWriters: many, initTop: many },
      system: { ...HEALTHY_HOST.system, dpkgAudit: many, lockHolders: many, inhibitors: many },
      boot: { ...HEALTHY_HOST.boot, mountFs: 'z'.repeat(5_000), rebootRequired: true, rebootRequiredBy: many },
    };
    expect(JSON.stringify(judge(facts, serverSpec())).length).toBeLessThan(30_000);
  });
});
