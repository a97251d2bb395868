/**
 * Modules, sysctls, PCI and identity.
 * @module
 */
import { BUILTIN_MODULES, KERNEL_MODULES, moduleName } from '../pci/modules.js';
import type { DeviceState } from '../pci/bus.js';
import { fail, parseArgs, type Call, type Program, type Programs } from '../shell/program.js';

const modprobe: Program = (call) => {
  const { flags, rest } = parseArgs(call.args, ['-d', '-C', '-S']);
  const quiet = flags.has('-q') || flags.has('--quiet');
  if (flags.has('-r') || flags.has('--remove')) {
    for (const name of rest) {
      const error = call.kernel.unloadModule(name);
      if (error !== null) return fail(1, `modprobe: FATAL: ${error}.`);
    }
    return '';
  }
  const names = flags.has('-a') || flags.has('--all') ? rest : rest.slice(0, 1);
  for (const name of names) {
    if ((flags.has('-b') || flags.has('--use-blacklist')) && call.kernel.isBlacklisted(name, call.fs)) continue;
    if (flags.has('-n') || flags.has('--dry-run') || flags.has('--show-depends')) {
      const module = KERNEL_MODULES.get(moduleName(name));
      const known =
        BUILTIN_MODULES.has(moduleName(name)) ||
        (module !== undefined && call.kernel.hasModuleFile(module.file, call.fs));
      if (!known)
        return fail(
          1,
          quiet
            ? ''
            : `modprobe: FATAL: Module ${name} not found in directory /lib/modules/${call.kernel.parameters.release}`,
        );
      continue;
    }
    const error = call.kernel.loadModule(name, call.fs);
    if (error !== null) return fail(1, quiet ? '' : `modprobe: FATAL: ${error}`);
  }
  return '';
};

const lsmod: Program = (call) =>
  [
    'Module                  Size  Used by',
    ...[...call.kernel.modules.values()]
      .toReversed()
      .map(
        (module) =>
          `${module.name.padEnd(20)} ${String(module.size).padStart(9)}  ${module.usedBy.size}${module.usedBy.size > 0 ? ` ${[...module.usedBy].join(',')}` : ''}`,
      ),
  ]
    .map((line) => `${line}\n`)
    .join('');

const modinfo: Program = (call) => {
  const name = call.args.findLast((arg) => !arg.startsWith('-')) ?? '';
  const module = KERNEL_MODULES.get(moduleName(name));
  if (module === undefined || !call.kernel.hasModuleFile(module.file, call.fs))
    return fail(1, `modinfo: ERROR: Module ${name} not found.`);
  const path = `/lib/modules/${call.kernel.parameters.release}/kernel/${module.file}.zst`;
  if (call.args.includes('-n')) return `${path}\n`;
  return `filename:       ${path}\nname:           ${module.name}\ndepends:        ${module.depends.join(',')}\nvermagic:       ${call.kernel.parameters.release} SMP preempt mod_unload\n`;
};

/** `KEY=VALUE` lines of files, in the order sysctl --system takes them. */
function sysctlFiles(call: Call): readonly string[] {
  const byName = new Map<string, string>();
  for (const dir of ['/usr/lib/sysctl.d', '/run/sysctl.d', '/etc/sysctl.d'])
    for (const name of call.fs.list(dir)) if (name.endsWith('.conf')) byName.set(name, `${dir}/${name}`);
  return [...[...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path), '/etc/sysctl.conf'];
}

const sysctl: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, []);
  const { sysctls } = call.kernel;
  let stdout = '';
  let stderr = '';
  const set = (line: string): void => {
    const at = line.indexOf('=');
    const tolerant = line.startsWith('-');
    const key = line
      .slice(tolerant ? 1 : 0, at)
      .trim()
      .replaceAll('/', '.');
    const value = line.slice(at + 1).trim();
    if (!sysctls.has(key)) {
      if (!tolerant) stderr += `sysctl: cannot stat /proc/sys/${key.replaceAll('.', '/')}: No such file or directory\n`;
      return;
    }
    sysctls.set(key, value);
    if (!flags.has('-q')) stdout += `${key} = ${value}\n`;
  };
  const load = (path: string): void => {
    for (const line of (call.fs.text(path) ?? '').split('\n').map((raw) => raw.trim()))
      if (line.includes('=') && !/^[#;]/.test(line)) set(line);
  };
  if (flags.has('--system') || values.has('--system')) {
    for (const path of sysctlFiles(call)) {
      if (call.fs.entry(path) === undefined) continue;
      stdout += `* Applying ${path} ...\n`;
      load(path);
    }
    // As procps: what doesn't exist is reported, and doesn't fail.
    return { stdout, stderr };
  }
  if (flags.has('-p')) {
    for (const path of rest.length === 0 ? ['/etc/sysctl.conf'] : rest) {
      if (call.fs.entry(call.path(path)) === undefined)
        return fail(255, `sysctl: cannot open "${path}": No such file or directory`);
      load(call.path(path));
    }
    return { stdout, stderr, exitCode: stderr === '' ? 0 : 255 };
  }
  for (const word of rest) {
    if (word.includes('=')) set(word);
    else {
      const key = word.replaceAll('/', '.');
      const value = sysctls.get(key);
      if (value === undefined)
        stderr += `sysctl: cannot stat /proc/sys/${key.replaceAll('.', '/')}: No such file or directory\n`;
      else stdout += flags.has('-n') ? `${value}\n` : `${key} = ${value}\n`;
    }
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 255 };
};

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

const uname: Program = (call) => {
  const { flags } = parseArgs(call.args);
  const { release } = call.kernel.parameters;
  const parts: Readonly<Record<string, string>> = {
    '-s': 'Linux',
    '-n': call.kernel.machine.name,
    '-r': release,
    '-v': '#63-Ubuntu SMP PREEMPT_DYNAMIC',
    '-m': 'x86_64',
    '-o': 'GNU/Linux',
  };
  if (flags.has('-a')) return `${Object.values(parts).join(' ')}\n`;
  const wanted = Object.entries(parts).filter(([flag]) => flags.has(flag));
  return `${(wanted.length === 0 ? ['Linux'] : wanted.map(([, text]) => text)).join(' ')}\n`;
};

const dmidecode: Program = (call) => {
  const { machine } = call.kernel;
  const { values } = parseArgs(call.args, ['-s', '-t']);
  const answers: Readonly<Record<string, string>> = {
    'system-serial-number': machine.serial,
    'system-uuid': machine.uuid,
    'system-manufacturer': machine.vendor,
    'system-product-name': machine.model,
    'baseboard-serial-number': `${machine.serial}B`,
    'chassis-serial-number': machine.serial,
    'bios-version': '2.4.4',
  };
  const wanted = values.get('-s')?.[0];
  if (wanted === undefined) return '';
  const answer = answers[wanted];
  return answer === undefined ? fail(2, `Invalid string keyword: ${wanted}`) : `${answer}\n`;
};

const dmesg: Program = (call) => {
  const { bootId } = call.kernel.parameters;
  return call.kernel.machine.journal.lines
    .filter((line) => line.identifier === 'kernel' && line.bootId === bootId)
    .map((line) => `[${((line.at - call.kernel.startedAt) / 1000).toFixed(6).padStart(12)}] ${line.text}\n`)
    .join('');
};

export const KERNEL_PROGRAMS: Programs = {
  modprobe,
  lsmod,
  modinfo,
  sysctl,
  lspci,
  uname,
  dmidecode,
  dmesg,
  depmod: () => '',
  setpci: () => fail(1, 'setpci: not on this host'),
};
