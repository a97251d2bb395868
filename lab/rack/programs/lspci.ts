/**
 * lspci, in its stable form (-vmm) and for people.
 * @module
 */
import type { DeviceState } from '../pci/bus.js';
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';

/** Modules that could drive a device, as `lspci -k` lists them. */
function modulesFor(state: DeviceState): readonly string[] {
  const module = state.device.native?.module;
  if (module === 'nvidia') return ['nvidiafb', 'nouveau', 'nvidia_drm', 'nvidia'];
  return module === undefined || module === 'pcieportdrv' ? [] : [module];
}

function chosen(call: Call, values: ReadonlyMap<string, readonly string[]>): readonly DeviceState[] {
  const slot = values.get('-s')?.[0];
  const id = values.get('-d')?.[0];
  return [...call.kernel.bus.states.values()].filter(({ device }) => {
    const wanted =
      slot === undefined ? device.address : slot.includes(':') && slot.split(':').length === 3 ? slot : `0000:${slot}`;
    if (device.address !== wanted && !device.address.startsWith(`${wanted}.`)) return false;
    if (id === undefined) return true;
    const [vendor = '', model = '', cls = ''] = id.split(':');
    const [ownVendor = '', ownModel = ''] = device.id.split(':');
    return (
      (vendor === '' || vendor === ownVendor) &&
      (model === '' || model === ownModel) &&
      (cls === '' || device.class.startsWith(cls))
    );
  });
}

const lspci: Program = (call) => {
  const { flags, values } = parseArgs(call.args, ['-s', '-d', '-A', '-O', '-i']);
  const letters = call.args.filter((arg) => /^-[a-zA-Z]+$/.test(arg)).join('');
  const count = (letter: string): number => letters.split(letter).length - 1;
  const devices = chosen(call, values);
  const address = (full: string): string => (flags.has('-D') ? full : full.replace(/^0000:/, ''));
  const numeric = count('n');
  if (count('m') >= 2) {
    const label = (name: string, id: string): string => (numeric >= 2 ? `${name} [${id}]` : numeric === 1 ? id : name);
    return `${devices
      .map(({ device, driver }, index) => {
        const [vendor = '', model = ''] = device.id.split(':');
        const [subVendor = '', subModel = ''] = device.subsystem.split(':');
        const state = devices[index];
        const lines = [
          `Slot:\t${address(device.address)}`,
          `Class:\t${label(device.names.class, device.class.slice(0, 4))}`,
          `Vendor:\t${label(device.names.vendor, vendor)}`,
          `Device:\t${label(device.names.device, model)}`,
          `SVendor:\t${label(device.names.vendor, subVendor)}`,
          `SDevice:\t${label('Device', subModel)}`,
          'Rev:\ta1',
          ...(flags.has('-k') && driver !== null ? [`Driver:\t${driver}`] : []),
          ...(flags.has('-k') && state !== undefined ? modulesFor(state).map((module) => `Module:\t${module}`) : []),
          `NUMANode:\t${device.numaNode}`,
          ...(call.kernel.iommu ? [`IOMMUGroup:\t${device.iommuGroup}`] : []),
        ];
        return `${lines.join('\n')}\n`;
      })
      .join('\n')}${devices.length > 0 ? '\n' : ''}`;
  }
  return devices
    .map((state) => {
      const { device, driver } = state;
      const [vendor = '', model = ''] = device.id.split(':');
      const head =
        numeric === 1
          ? `${address(device.address)} ${device.class.slice(0, 4)}: ${vendor}:${model} (rev a1)`
          : `${address(device.address)} ${device.names.class}${numeric >= 2 ? ` [${device.class.slice(0, 4)}]` : ''}: ${device.names.vendor} ${device.names.device}${numeric >= 2 ? ` [${device.id}]` : ''} (rev a1)`;
      const lines = [head];
      if (flags.has('-k')) {
        lines.push(`\tSubsystem: ${device.names.vendor} Device [${device.subsystem}]`);
        if (driver !== null) lines.push(`\tKernel driver in use: ${driver}`);
        const modules = modulesFor(state);
        if (modules.length > 0) lines.push(`\tKernel modules: ${modules.join(', ')}`);
      }
      if (count('v') >= 2)
        lines.push(
          `\t\tLnkCap:\tPort #0, Speed ${device.linkSpeed.split(' ')[0]}GT/s, Width x${device.linkWidth}`,
          `\t\tLnkSta:\tSpeed ${device.linkSpeed.split(' ')[0]}GT/s, Width x${device.linkWidth}`,
        );
      return `${lines.join('\n')}\n`;
    })
    .join('');
};

export const PCI_PROGRAMS: Programs = { lspci, setpci: () => fail(1, 'setpci: not on this host') };
