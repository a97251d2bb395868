/**
 * /sys as the PCI bus, the IOMMU and the loaded modules make it.
 * @module
 */
import { attribute, characterDevice, directory, link, type Entry } from '../disk/entry.js';
import type { DeviceState, PciBus } from './bus.js';

export interface ModuleState {
  readonly name: string;
  readonly size: number;
  readonly usedBy: ReadonlySet<string>;
}

export function pciSysfs(bus: PciBus, iommu: boolean): Map<string, Entry> {
  const tree = new Map<string, Entry>();
  tree.set(
    '/sys/bus/pci/drivers_probe',
    attribute(
      () => '',
      (text) => bus.probe(text),
      0o200,
    ),
  );
  tree.set(
    '/sys/bus/pci/rescan',
    attribute(
      () => '',
      () => {},
      0o200,
    ),
  );
  tree.set('/sys/bus/pci/devices', directory());
  tree.set('/sys/kernel/iommu_groups', directory());
  tree.set('/sys/class/iommu', directory());
  if (iommu) {
    for (const unit of ['dmar0', 'dmar1']) {
      tree.set(`/sys/devices/virtual/iommu/${unit}`, directory());
      tree.set(`/sys/class/iommu/${unit}`, link(`../../devices/virtual/iommu/${unit}`));
    }
  }
  for (const driver of bus.drivers.values()) driverFiles(tree, bus, driver.name);
  for (const state of bus.states.values()) deviceFiles(tree, bus, state, iommu);
  return tree;
}

function driverFiles(tree: Map<string, Entry>, bus: PciBus, name: string): void {
  const dir = `/sys/bus/pci/drivers/${name}`;
  tree.set(dir, directory());
  tree.set(
    `${dir}/bind`,
    attribute(
      () => '',
      (text) => bus.bind(name, text),
      0o200,
    ),
  );
  tree.set(
    `${dir}/unbind`,
    attribute(
      () => '',
      (text) => bus.unbind(name, text),
      0o200,
    ),
  );
  tree.set(
    `${dir}/new_id`,
    attribute(
      () => '',
      (text) => {
        const [vendor = '', device = ''] = text.trim().split(/\s+/);
        bus.drivers.get(name)?.ids.add(`${vendor}:${device}`);
        for (const state of bus.states.values())
          if (state.device.id === `${vendor}:${device}`) bus.probe(state.device.address);
      },
      0o200,
    ),
  );
}

function deviceFiles(tree: Map<string, Entry>, bus: PciBus, state: DeviceState, iommu: boolean): void {
  const { device } = state;
  const { address } = device;
  // Where the device sits behind bridges doesn't matter here: one level below the root bus.
  const dir = `/sys/devices/pci${address.slice(0, 7)}/${address}`;
  const [vendor = '', model = ''] = device.id.split(':');
  const [subVendor = '', subModel = ''] = device.subsystem.split(':');
  const value = (name: string, text: string): void =>
    void tree.set(
      `${dir}/${name}`,
      attribute(() => `${text}\n`),
    );
  tree.set(dir, directory());
  tree.set(`/sys/bus/pci/devices/${address}`, link(`../../../devices/pci${address.slice(0, 7)}/${address}`));
  value('vendor', `0x${vendor}`);
  value('device', `0x${model}`);
  value('subsystem_vendor', `0x${subVendor}`);
  value('subsystem_device', `0x${subModel}`);
  value('class', `0x${device.class}`);
  value('numa_node', String(device.numaNode));
  value('current_link_width', String(device.linkWidth));
  value('max_link_width', String(device.linkWidth));
  value('current_link_speed', device.linkSpeed);
  value('max_link_speed', device.linkSpeed);
  value('power_state', state.driver === 'vfio-pci' ? 'D3hot' : 'D0');
  value('reset_method', 'flr bus');
  value('enable', state.driver === null ? '0' : '1');
  value('modalias', modalias(state));
  value('sriov_numvfs', '0');
  tree.set(
    `${dir}/config`,
    attribute(() => configSpace(vendor, model)),
  );
  tree.set(
    `${dir}/driver_override`,
    attribute(
      () => `${state.override ?? '(null)'}\n`,
      (text) => bus.setOverride(state, text),
      0o644,
    ),
  );
  if (state.driver !== null) {
    tree.set(`${dir}/driver`, link(`../../../bus/pci/drivers/${state.driver}`));
    tree.set(
      `/sys/bus/pci/drivers/${state.driver}/${address}`,
      link(`../../../../devices/pci${address.slice(0, 7)}/${address}`),
    );
    if (state.driver === 'vfio-pci' && iommu) tree.set(`${dir}/vfio-dev/vfio${device.iommuGroup}`, directory());
  }
  if (iommu) {
    const group = `/sys/kernel/iommu_groups/${device.iommuGroup}`;
    tree.set(`${dir}/iommu_group`, link(`../../../kernel/iommu_groups/${device.iommuGroup}`));
    tree.set(`${group}/devices/${address}`, link(`../../../../devices/pci${address.slice(0, 7)}/${address}`));
    tree.set(
      `${group}/type`,
      attribute(() => 'DMA-FQ\n'),
    );
  }
}

export function modalias(state: DeviceState): string {
  const { device } = state;
  const [vendor = '', model = ''] = device.id.split(':').map((part) => part.toUpperCase().padStart(8, '0'));
  const [subVendor = '', subModel = ''] = device.subsystem
    .split(':')
    .map((part) => part.toUpperCase().padStart(8, '0'));
  const [base, sub, interfaceClass] = [device.class.slice(0, 2), device.class.slice(2, 4), device.class.slice(4, 6)];
  return `pci:v${vendor}d${model}sv${subVendor}sd${subModel}bc${base}sc${sub}i${interfaceClass}`;
}

/** The first 64 bytes: enough for `od` to see that the device hasn't fallen off the bus (all 0xff). Bytes below 0x80 only. */
function configSpace(vendor: string, model: string): string {
  const bytes = [vendor.slice(2), vendor.slice(0, 2), model.slice(2), model.slice(0, 2)].map(
    (hex) => Number.parseInt(hex, 16) & 0x7f,
  );
  return String.fromCharCode(...bytes, 0x06, 0x04, 0x10, 0x00, ...Array.from({ length: 56 }, () => 0));
}

/** /dev/vfio and /dev/nvidia*. */
export function pciDevices(bus: PciBus, iommu: boolean): Map<string, Entry> {
  const tree = new Map<string, Entry>();
  let gpus = 0;
  for (const { device, driver } of bus.states.values()) {
    if (driver === 'vfio-pci' && iommu)
      tree.set(
        `/dev/vfio/${device.iommuGroup}`,
        characterDevice(() => {}, 0o600),
      );
    if (driver === 'nvidia') tree.set(`/dev/nvidia${gpus++}`, characterDevice());
  }
  if (gpus > 0) tree.set('/dev/nvidiactl', characterDevice());
  if (bus.drivers.has('vfio-pci')) tree.set('/dev/vfio/vfio', characterDevice());
  return tree;
}

/** /sys/module. */
export function moduleSysfs(modules: Iterable<ModuleState>): Map<string, Entry> {
  const tree = new Map<string, Entry>([['/sys/module', directory()]]);
  for (const module of modules) {
    tree.set(`/sys/module/${module.name}`, directory());
    tree.set(
      `/sys/module/${module.name}/initstate`,
      attribute(() => 'live\n'),
    );
    tree.set(
      `/sys/module/${module.name}/refcnt`,
      attribute(() => `${module.usedBy.size}\n`),
    );
  }
  return tree;
}

/** /proc/driver/nvidia/gpus. */
export function nvidiaProc(bus: PciBus): Map<string, Entry> {
  const tree = new Map<string, Entry>();
  if (!bus.drivers.has('nvidia')) return tree;
  tree.set(
    '/proc/driver/nvidia/version',
    attribute(() => 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05\n'),
  );
  tree.set('/proc/driver/nvidia/gpus', directory());
  for (const { device, driver } of bus.states.values()) {
    if (driver === 'nvidia') {
      tree.set(
        `/proc/driver/nvidia/gpus/${device.address}/information`,
        attribute(() => `Model: \t\t NVIDIA H100 80GB HBM3\nBus Location: \t ${device.address}\n`),
      );
    }
  }
  return tree;
}
