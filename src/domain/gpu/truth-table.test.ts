import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import type { PciDeviceFacts } from './pci.js';
import { truthTable, type TruthContext } from './truth-table.js';

const spec = serverSpec();
const { addresses } = spec.gpus;
const THIRD = addresses[2] ?? '';

const isolated = (address: string, index: number): PciDeviceFacts => ({
  address,
  vendorDevice: '10de:2330',
  class: '030200',
  driver: 'vfio-pci',
  driverOverride: 'vfio-pci',
  iommuGroup: 20 + index,
  groupMembers: [],
  linkWidth: 16,
  maxLinkWidth: 16,
  configReadable: true,
  vfioNode: true,
});
const gpus = addresses.map(isolated);

const context = (change: Partial<TruthContext> = {}): TruthContext => ({
  baseline: {
    linkWidths: Object.fromEntries(addresses.map((address) => [address, 16])),
    failedUnits: ['snapd.service'],
    nativeDrivers: {},
  },
  failedUnits: ['snapd.service'],
  hookStatus: addresses.map((address) => `${address} overridden\n${address} driver vfio-pci\n`).join(''),
  stuckProcesses: [],
  lspci: gpus.map(({ address, vendorDevice, driver }) => ({ address, vendorDevice, driver })),
  lspciText: '0000:0a:00.0 3D controller [0302]',
  ...change,
});

const other = (vendorDevice: string): PciDeviceFacts => ({ ...isolated('0000:e1:00.0', 60), vendorDevice });

const withThird = (change: Partial<PciDeviceFacts>): readonly PciDeviceFacts[] =>
  gpus.map((gpu) => (gpu.address === THIRD ? { ...gpu, ...change } : gpu));

describe('the truth table', () => {
  it('holds when all eight are on vfio-pci', () => {
    const table = truthTable(spec, gpus, context());
    expect(table.problems).toEqual([]);
    expect(table.ok).toBe(true);
    expect(table.evidence).toContain('3D controller');
    expect(table.rows).toHaveLength(8);
    expect(table.rows.every((row) => row.ok && row.cells.length === 11)).toBe(true);
  });

  it.each<[string, Partial<PciDeviceFacts>, string]>([
    ['another card', { vendorDevice: '10de:2335' }, 'id is 10de:2335, expected 10de:2330'],
    ['the native driver', { driver: 'nvidia' }, 'driver is nvidia, expected vfio-pci'],
    ['no driver', { driver: null }, 'driver is -, expected vfio-pci'],
    ['no override', { driverOverride: null }, 'driver_override is -, expected vfio-pci'],
    ['no group', { iommuGroup: null }, 'iommu_group is -, expected a numeric IOMMU group'],
    ['a stranger in the group', { groupMembers: ['0000:19:00.0'] }, 'group_mates is 0000:19:00.0, expected no device'],
    ['no node', { vfioNode: false }, 'vfio_node is -, expected /dev/vfio/22'],
    ['fewer lanes than before', { linkWidth: 8 }, 'link_width is x8, expected x16 as before'],
    ['a link that is gone', { linkWidth: null }, 'link_width is -, expected x16 as before'],
    ['a dead configuration space', { configReadable: false }, 'config_space is dead, expected readable'],
  ])('fails with %s, and says so for that device', (_, change, says) => {
    const table = truthTable(spec, withThird(change), context());
    expect(table.ok).toBe(false);
    expect(table.problems.join('\n')).toContain(`${THIRD}: ${says}`);
    expect(table.rows.filter((row) => !row.ok).map((row) => row.address)).toEqual([THIRD]);
  });

  it('fails when a planned device is gone', () => {
    const table = truthTable(
      spec,
      gpus.filter((gpu) => gpu.address !== THIRD),
      context(),
    );
    expect(table.problems).toEqual([`${THIRD}: no device there`]);
  });

  it.each<[string, Partial<TruthContext>, string]>([
    ['the hook did not run', { hookStatus: null }, 'the hook left no status file'],
    ['the hook left one device alone', { hookStatus: `${THIRD} absent` }, `${THIRD}: hook is -`],
    [
      'a process is stuck',
      { stuckProcesses: ['nvidia-smi (pid 7)'] },
      'nvidia-smi (pid 7) is in uninterruptible sleep',
    ],
    ['a unit failed that had not', { failedUnits: ['k3s.service'] }, 'k3s.service failed and had not failed before'],
    ['lspci sees another driver', { lspci: [] }, `${THIRD}: lspci is -, expected vfio-pci, as sysfs says`],
  ])('fails when %s', (_, change, says) => {
    const table = truthTable(spec, gpus, context(change));
    expect(table.ok).toBe(false);
    expect(table.problems.join('\n')).toContain(says);
  });

  it('does not count units that had failed before, nor compare widths that were unknown', () => {
    const baseline = { linkWidths: {}, failedUnits: ['a.service'], nativeDrivers: {} };
    expect(truthTable(spec, gpus, context({ baseline, failedUnits: ['a.service'] })).ok).toBe(true);
  });

  it('believes sysfs: an lspci that says vfio-pci of a device on its native driver only adds a problem', () => {
    const table = truthTable(spec, withThird({ driver: 'nvidia' }), context());
    expect(table.problems).toEqual([
      `${THIRD}: driver is nvidia, expected vfio-pci`,
      `${THIRD}: lspci is vfio-pci, expected nvidia, as sysfs says`,
    ]);
  });

  it('judges nothing by the text for people', () => {
    const lspciText = `${THIRD} 3D controller\n\tKernel driver in use: vfio-pci\n`;
    expect(truthTable(spec, withThird({ driver: null }), context({ lspci: null, lspciText })).ok).toBe(false);
  });

  it.each(['overridden', `x${THIRD} overridden`, `${THIRD} overridden not`, `${THIRD}\toverridden`])(
    'takes no line of the hook for another: %j',
    (line) => {
      const hookStatus = addresses.map((each) => (each === THIRD ? line : `${each} overridden`)).join('\n');
      expect(truthTable(spec, gpus, context({ hookStatus })).problems.join()).toContain(`${THIRD}: hook is -`);
    },
  );

  it('needs no lspci', () => {
    expect(truthTable(spec, gpus, context({ lspci: null })).ok).toBe(true);
  });

  it('fails when anything else is on vfio-pci', () => {
    expect(truthTable(spec, [...gpus, other('10de:22a3')], context()).problems).toEqual([
      '0000:e1:00.0: an NVSwitch is on vfio-pci, but nvswitch is none',
    ]);
    expect(truthTable(spec, [...gpus, other('15b3:1021')], context()).problems).toEqual([
      '0000:e1:00.0 (15b3:1021) is on vfio-pci and not planned',
    ]);
  });

  it('fails when two GPUs share a group, since KubeVirt offers one device per group', () => {
    const [first, second] = addresses;
    const shared = gpus.map((gpu) =>
      gpu.address === second ? { ...gpu, iommuGroup: 20, groupMembers: [first ?? ''] } : gpu,
    );
    expect(truthTable(spec, shared, context()).problems).toEqual([`${first} and ${second} share IOMMU group 20`]);
  });
});
