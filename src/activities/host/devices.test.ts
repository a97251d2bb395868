import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePciDevices, type PciDeviceFacts } from '../../domain/gpu/pci.js';
import { truthTable } from '../../domain/gpu/truth-table.js';
import { startRackHost } from '../../../test/support/rack-host.js';
import { LIST_PCI_DEVICES, readDevices, readTruthContext } from './devices.js';

const run = promisify(execFile);

/** The frozen script, run by this machine's sh over a copy of sysfs: the paths are the only thing that differs. */
async function listDevices(root: string): Promise<readonly PciDeviceFacts[]> {
  const script = LIST_PCI_DEVICES.replaceAll('/sys/', `${root}/sys/`).replaceAll('/dev/', `${root}/dev/`);
  const parsed = parsePciDevices((await run('sh', ['-c', script])).stdout);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

interface FakeDevice {
  readonly address: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly driver?: string;
  readonly group?: number;
}

describe('the script that lists PCI devices', () => {
  let root: string;
  const pci = (): string => join(root, 'sys/bus/pci');

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'gpu-provision-sysfs-'));
    await mkdir(join(root, 'dev/vfio'), { recursive: true });
    await mkdir(join(pci(), 'devices'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  async function add(device: FakeDevice): Promise<void> {
    const path = join(pci(), 'devices', device.address);
    await mkdir(path);
    for (const [name, content] of Object.entries(device.files)) await writeFile(join(path, name), content);
    if (device.driver !== undefined) {
      const driver = join(pci(), 'drivers', device.driver);
      await mkdir(driver, { recursive: true });
      await symlink(driver, join(path, 'driver'));
    }
    if (device.group !== undefined) {
      const group = join(root, 'sys/kernel/iommu_groups', String(device.group));
      await mkdir(group, { recursive: true });
      await symlink(group, join(path, 'iommu_group'));
    }
  }

  const gpuFiles = { vendor: '0x10de\n', device: '0x2330\n', class: '0x030200\n', driver_override: 'vfio-pci\n' };

  it('reads a GPU on vfio-pci and leaves its bridge out of the group', async () => {
    await add({
      address: '0000:18:00.0',
      files: {
        ...gpuFiles,
        config: Uint8Array.of(0xde, 0x10, 0x30, 0x23),
        current_link_width: '16\n',
        max_link_width: '16\n',
      },
      driver: 'vfio-pci',
      group: 29,
    });
    await add({
      address: '0000:17:00.0',
      files: { vendor: '0x8086\n', device: '0x352a\n', class: '0x060400\n', driver_override: '(null)\n' },
      driver: 'pcieport',
      group: 29,
    });
    await writeFile(join(root, 'dev/vfio/29'), '');
    expect((await listDevices(root)).find((device) => device.address === '0000:18:00.0')).toEqual({
      address: '0000:18:00.0',
      vendorDevice: '10de:2330',
      class: '030200',
      driver: 'vfio-pci',
      driverOverride: 'vfio-pci',
      iommuGroup: 29,
      groupMembers: [],
      linkWidth: 16,
      maxLinkWidth: 16,
      configReadable: true,
      vfioNode: true,
    });
  });

  it('tells a device that has fallen off the bus by its configuration space', async () => {
    await add({ address: '0000:18:00.0', files: { ...gpuFiles, config: new Uint8Array(64).fill(0xff) } });
    expect((await listDevices(root))[0]?.configReadable).toBe(false);
  });

  it('does not take a noiommu group for a group', async () => {
    await add({ address: '0000:18:00.0', files: gpuFiles, driver: 'vfio-pci', group: 0 });
    await writeFile(join(root, 'sys/kernel/iommu_groups/0/name'), 'vfio-noiommu\n');
    await writeFile(join(root, 'dev/vfio/noiommu-0'), '');
    expect((await listDevices(root))[0]?.iommuGroup).toBeNull();
  });

  it('reads the machine the test runs on', async () => {
    const devices = parsePciDevices((await run('sh', ['-c', LIST_PCI_DEVICES])).stdout);
    expect(devices.ok).toBe(true);
  });
});

describe('the truth about a fresh host of the rack', () => {
  it('is that no GPU is isolated, by sysfs and by lspci', async () => {
    const server = await startRackHost({ nvswitches: 4 });
    try {
      const ctx = server.context('11111111-run');
      const devices = await readDevices(ctx);
      const linkWidths = Object.fromEntries(devices.map((device) => [device.address, device.linkWidth]));
      const context = await readTruthContext(ctx, { linkWidths, failedUnits: [], nativeDrivers: {} });
      const table = truthTable(server.spec, devices, context);
      const wrong = new Set(table.rows.flatMap((row) => row.cells.filter((cell) => !cell.ok).map((cell) => cell.fact)));
      expect([...wrong]).toEqual(['driver', 'driver_override', 'vfio_node', 'hook']);
      expect(table.problems).toContain('the hook left no status file: it did not run in this boot');
      expect(table.evidence).toContain('10de:2330');
    } finally {
      await server.close();
    }
  }, 60_000);
});
