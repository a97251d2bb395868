import { describe, expect, it } from 'vitest';
import type { DiskFacts } from './cluster/disks.js';
import { discovered, diskIds } from './discover.js';
import type { PciDeviceFacts } from './gpu/pci.js';
import { parseFactLines, type FactLines } from './preflight/fact-lines.js';

function lines(...text: readonly string[]): FactLines {
  const parsed = parseFactLines([...text, 'end\tok', ''].join('\n'));
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const device = (address: string, vendorDevice: string, kind: string): PciDeviceFacts => ({
  address,
  vendorDevice,
  class: kind,
  driver: null,
  driverOverride: null,
  iommuGroup: null,
  groupMembers: [],
  linkWidth: null,
  maxLinkWidth: null,
  configReadable: true,
  vfioNode: false,
});

const disk = (id: string, name: string): DiskFacts => ({
  id,
  device: name,
  type: 'disk',
  serial: 'S1',
  model: 'M',
  bytes: 1,
  readOnly: false,
  parts: [],
  mountpoints: [],
  signatures: [],
  holders: [],
});

describe('a discovered host', () => {
  it('has the BMC address that its ipmitool tells, and none where there is none', () => {
    const lan = [
      'bmc.rc\t0',
      'bmc\tSet in Progress         : Set Complete',
      'bmc\tIP Address Source       : Static Address',
    ];
    const found = (...more: readonly string[]): string | null => discovered(lines(...more), [], []).bmcAddress;
    expect(found(...lan, 'bmc\tIP Address              : 192.0.2.111')).toBe('192.0.2.111');
    expect(found(...lan, 'bmc\tIP Address              : 0.0.0.0')).toBeNull();
    expect(found(...lan, 'bmc\tIP Address              : 192.0.2.1 }, x: {')).toBeNull();
    expect(found('bmc.rc\t127', 'bmc\t')).toBeNull();
  });

  it('has the GPUs of which there are most, and no NVSwitch or display adapter among them', () => {
    const gpus = ['0000:0a:00.0', '0000:18:00.0'].map((address) => device(address, '10de:2330', '030200'));
    const others = [device('0000:05:00.0', '10de:22a3', '068000'), device('0000:03:00.0', '1a03:2000', '030000')];
    const odd = device('0000:02:00.0', '10de:1b80', '030000');
    expect(discovered(lines(), [odd, ...others, ...gpus], [])).toMatchObject({
      gpus: { id: '10de:2330', addresses: ['0000:0a:00.0', '0000:18:00.0'] },
      nvswitches: 1,
    });
    expect(discovered(lines(), others, []).gpus).toBeNull();
  });

  it('counts a disk once that has several names, and says why another one is none', () => {
    const disks = [disk('/dev/disk/by-id/nvme-A', '/dev/nvme0n1'), disk('/dev/disk/by-id/nvme-A_1', '/dev/nvme0n1')];
    const used = { ...disk('/dev/disk/by-id/nvme-B', '/dev/nvme1n1'), signatures: ['ext4'] };
    expect(discovered(lines(), [], [...disks, used])).toMatchObject({
      emptyDisks: ['/dev/disk/by-id/nvme-A'],
      otherDisks: ['/dev/disk/by-id/nvme-B is not empty: ext4'],
    });
  });

  it('takes no name, serial or id from it that could end its line in a file', () => {
    const hostile = lines(
      'hostname.rc\t0',
      'hostname\ta: {b',
      "serial\tx' # y",
      'disk\t/dev/disk/by-id/nvme-x]: y',
      'disk\t/dev/disk/by-id/nvme-A',
    );
    expect(discovered(hostile, [], [])).toMatchObject({ name: null, serial: null });
    expect(diskIds(hostile)).toEqual(['/dev/disk/by-id/nvme-A']);
  });
});
