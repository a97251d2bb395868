/**
 * One boot of a host: everything that is gone with the next one. Processes, tmpfs, loaded modules, driver bindings, sysctls.
 * @module
 */
import { setMaxListeners } from 'node:events';
import { directory, file } from '../disk/entry.js';
import { FileSystem, type Mount } from '../disk/file-system.js';
import { DerivedVolume, MemoryVolume, type Volume } from '../disk/volume.js';
import { PciBus } from '../pci/bus.js';
import type { PciDevice } from '../pci/device.js';
import { BUILTIN_MODULES, KERNEL_MODULES, moduleName } from '../pci/modules.js';
import type { Call, Program, ProgramResult, Programs } from '../shell/program.js';
import { Process, type ProcessEnd, type ProcessSpec } from '../shell/process.js';
import type { SystemManager } from '../systemd/manager.js';
import { delay, forever, held } from './clock.js';
import type { Machine } from './machine.js';
import { deviceNodes, procTree, sysTree } from './kernel-files.js';
import { Locks } from './locks.js';
import { DEFAULT_SYSCTLS, MODULE_SYSCTLS } from './sysctls.js';

export interface BootParameters {
  readonly bootId: string;
  readonly commandLine: string;
  /** `6.8.0-60-generic` */
  readonly release: string;
  readonly root: Volume;
}

export class Kernel {
  readonly startedAt = Date.now();
  readonly bus: PciBus;
  readonly modules = new Map<string, { name: string; size: number; usedBy: Set<string> }>();
  readonly processes = new Map<number, Process>();
  readonly sysctls = new Map<string, string>(DEFAULT_SYSCTLS);
  /** Ends with the boot, and with it whatever process, connection or timer waits for that. */
  readonly life = endOfManyThings();
  readonly locks = new Locks();
  systemd: SystemManager | null = null;
  /** A kernel loaded by kexec, which a reboot then starts instead of the firmware. */
  kexec: BootParameters | null = null;
  private readonly run = new MemoryVolume();
  private readonly tmp = new MemoryVolume(new Map([['/', directory({ mode: 0o1777 })]]));
  private readonly devices = new DerivedVolume(
    () => this.bus.version,
    () => deviceNodes(this),
  );
  private readonly sysfs = new DerivedVolume(
    () => this.bus.version + this.moduleVersion,
    () => sysTree(this),
  );
  private readonly procfs = new DerivedVolume(
    () => this.bus.version + this.processVersion + this.sysctls.size,
    () => procTree(this),
  );
  private readonly fileSystems = new Map<number, FileSystem>();
  private processVersion = 0;
  private root: Volume;
  private moduleVersion = 0;
  private nextPid = 1200;

  constructor(
    readonly machine: Machine,
    readonly parameters: BootParameters,
    private readonly programs: Programs,
  ) {
    this.root = parameters.root;
    this.bus = new PciBus(
      machine.devices,
      (device, driver) => this.mayBind(device, driver),
      (line) => this.log(line),
    );
    this.run.set('/run', directory());
    this.run.set('/run/initramfs', directory());
    this.run.set('/run/lock', directory({ mode: 0o1777 }));
    this.tmp.set('/tmp', directory({ mode: 0o1777 }));
  }

  get alive(): boolean {
    return !this.life.signal.aborted;
  }

  get uptimeSeconds(): number {
    return (Date.now() - this.startedAt) / 1000;
  }

  /** The kernel's log: console and journal. */
  log(text: string): void {
    if (!this.alive) return;
    this.machine.print(`[${this.uptimeSeconds.toFixed(6).padStart(12)}] ${text}`);
    this.machine.journal.add({
      bootId: this.parameters.bootId,
      at: Date.now(),
      identifier: 'kernel',
      unit: null,
      text,
    });
  }

  /** The initramfs is left and the disk becomes the root. /run stays. */
  switchRoot(root: Volume): void {
    this.root = root;
    this.fileSystems.clear();
  }

  /** As a user sees it; the same object until the root changes. */
  fileSystem(uid: number): FileSystem {
    const known = this.fileSystems.get(uid);
    if (known !== undefined) return known;
    const mounts: Mount[] = [
      { at: '/', volume: this.root },
      ...SHELL_BUILTINS.map((name): Mount => ({ at: `/usr/bin/${name}`, volume: BUILTIN_VOLUME })),
      { at: '/run', volume: this.run },
      { at: '/tmp', volume: this.tmp },
      { at: '/dev', volume: this.devices },
      { at: '/sys', volume: this.sysfs },
      { at: '/proc', volume: this.procfs },
    ];
    const made = new FileSystem(
      mounts,
      uid,
      () => this.alive,
      () => this.machine.changed(),
    );
    this.fileSystems.set(uid, made);
    return made;
  }

  spawn(spec: ProcessSpec): Process {
    if (!this.alive) throw new Error('the machine is off');
    const process = new Process(this, (this.nextPid += 1), spec, this.programs);
    this.processes.set(process.pid, process);
    this.processVersion += 1;
    return process;
  }

  /** Runs as root and waits. */
  async execute(command: readonly string[] | string): Promise<ProcessEnd> {
    return this.spawn({ command, uid: 0, cwd: '/' }).done;
  }

  processEnded(process: Process): void {
    this.processes.delete(process.pid);
    this.processVersion += 1;
  }

  /** Every program goes through here, so that faults can strike it. */
  async intercept(call: Call, program: Program): Promise<ProgramResult> {
    if (!this.alive) throw new Error('the machine is off');
    const subject = [call.name, ...call.args].join(' ');
    this.machine.noteProgram(subject);
    const effect = this.machine.strike('program', subject, this.parameters.commandLine);
    switch (effect?.kind) {
      case undefined:
        return program(call);
      case 'hang':
        return forever(call.signal);
      case 'delay':
        await delay(effect.ms, call.signal);
        return program(call);
      case 'hold': {
        const result = effect.when === 'after' ? await program(call) : null;
        await held(effect.at, call.signal);
        return result ?? program(call);
      }
      case 'power-cut':
        if (effect.when === 'after') await program(call);
        this.machine.powerFails(effect.restoreAfterMs);
        throw new Error('the machine is off');
      case 'fail': {
        if (effect.when === 'after') await program(call);
        return { exitCode: effect.exitCode ?? 1, stderr: `${effect.stderr ?? `${call.name}: fault`}\n` };
      }
      case 'panic':
        this.machine.panic(effect.text ?? 'fault');
        throw new Error('the machine is off');
      default:
        throw new Error(`a program can't have the effect ${effect?.kind ?? ''}`);
    }
  }

  /** Every process gets a signal; nothing of this boot acts after that. */
  end(): void {
    this.life.abort(new Error('the machine is off'));
    for (const process of this.processes.values()) process.kill('KILL');
  }

  // --- modules --------------------------------------------------------------------------------------------------------

  /** Loads a module with what it depends on, if the file is there. An error text, or null. */
  loadModule(wanted: string, fs: FileSystem): string | null {
    const name = moduleName(wanted);
    if (this.modules.has(name) || BUILTIN_MODULES.has(name)) return null;
    const module = KERNEL_MODULES.get(name);
    if (module === undefined || !this.hasModuleFile(module.file, fs)) {
      return `Module ${wanted} not found in directory /lib/modules/${this.parameters.release}`;
    }
    for (const dependency of module.depends) {
      const error = this.loadModule(dependency, fs);
      if (error !== null) return error;
    }
    for (const dependency of module.depends) this.modules.get(dependency)?.usedBy.add(name);
    this.modules.set(name, { name, size: module.size, usedBy: new Set() });
    this.moduleVersion += 1;
    for (const [key, value] of MODULE_SYSCTLS[name] ?? []) this.sysctls.set(key, value);
    this.log(`${name}: loaded`);
    for (const driver of module.drivers) {
      const ids = driver === 'vfio-pci' ? this.vfioIds(fs) : new Set<string>();
      this.bus.register({ name: driver, module: name, ids });
    }
    if (name === 'nvidia' && ![...this.bus.states.values()].some((state) => state.driver === 'nvidia')) {
      this.log('NVRM: No NVIDIA GPU found.');
    }
    return null;
  }

  unloadModule(wanted: string): string | null {
    const name = moduleName(wanted);
    const module = this.modules.get(name);
    if (module === undefined) return `Module ${wanted} is not currently loaded`;
    if (module.usedBy.size > 0) return `Module ${wanted} is in use by: ${[...module.usedBy].join(' ')}`;
    const drivers = KERNEL_MODULES.get(name)?.drivers ?? [];
    if ([...this.bus.states.values()].some((state) => state.driver !== null && drivers.includes(state.driver)))
      return `Module ${wanted} is in use`;
    for (const driver of drivers) this.bus.unregister(driver);
    this.modules.delete(name);
    for (const other of this.modules.values()) other.usedBy.delete(name);
    this.moduleVersion += 1;
    return null;
  }

  hasModuleFile(path: string, fs: FileSystem): boolean {
    return ['', '.zst', '.xz'].some(
      (suffix) => fs.entry(`/usr/lib/modules/${this.parameters.release}/kernel/${path}${suffix}`) !== undefined,
    );
  }

  /** `blacklist` lines, which count for aliases (udev) and for `modprobe -b`. */
  isBlacklisted(name: string, fs: FileSystem): boolean {
    return modprobeConfig(fs).some(
      ([word, module]) => word === 'blacklist' && moduleName(module ?? '') === moduleName(name),
    );
  }

  /** What udev does on `trigger --action=add`: modules by modalias, with no look at whether something drives the device. */
  coldPlug(fs: FileSystem): void {
    for (const { device } of this.bus.states.values()) {
      const module = device.native?.module;
      if (module === undefined || this.isBlacklisted(module, fs)) continue;
      this.loadModule(module, fs);
    }
  }

  private vfioIds(fs: FileSystem): Set<string> {
    const ids = new Set<string>();
    const options = modprobeConfig(fs)
      .filter(([word, module]) => word === 'options' && moduleName(module ?? '') === 'vfio_pci')
      .flatMap(([, , ...rest]) => rest);
    for (const option of [...options, ...this.parameters.commandLine.split(' ')]) {
      const value = /^(?:vfio[-_]pci\.)?ids=(.*)$/.exec(option)?.[1];
      for (const id of value?.split(',') ?? []) ids.add(id);
    }
    return ids;
  }

  private mayBind(device: PciDevice, driver: string): boolean {
    const effect = this.machine.strike('pci-bind', `${device.address} ${driver}`, this.parameters.commandLine);
    if (effect?.kind === 'native-wins' && device.native !== null && driver !== device.native.driver) {
      const state = this.bus.states.get(device.address);
      if (state !== undefined) state.driver = device.native.driver;
      return false;
    }
    return effect?.kind !== 'refuse';
  }

  // --- what the kernel shows as files ---------------------------------------------------------------------------------

  get iommu(): boolean {
    return this.machine.hasIommu && !/\b(iommu|intel_iommu)=off\b/.test(this.parameters.commandLine);
  }
}

/** Built into every shell, so there on every root: just-bash looks its commands up as files. */
const SHELL_BUILTINS = ['execve', 'trap', 'umask', 'ulimit', 'kill'] as const;
const BUILTIN_VOLUME = new MemoryVolume(
  new Map(SHELL_BUILTINS.map((name) => [`/usr/bin/${name}`, file(`\x7fELF ${name}\n`, { mode: 0o755 })])),
);

/** Words of every line in /etc/modprobe.d and /usr/lib/modprobe.d. */
export function modprobeConfig(fs: FileSystem): readonly (readonly string[])[] {
  return ['/etc/modprobe.d', '/usr/lib/modprobe.d'].flatMap((dir) =>
    fs
      .list(dir)
      .filter((name) => name.endsWith('.conf'))
      .flatMap((name) => (fs.text(`${dir}/${name}`) ?? '').split('\n'))
      .filter((line) => line.trim() !== '' && !line.startsWith('#'))
      .map((line) => line.trim().split(/\s+/)),
  );
}

/** A controller that Node does not take for leaking because many listen to it. */
function endOfManyThings(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
