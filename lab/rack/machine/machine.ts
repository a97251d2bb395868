/**
 * A simulated server: power, firmware, disk and what boots from it. Everything a boot knows is in its {@link Kernel}.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import { ClusterFolder } from './cluster-folder.js';
import type { LinstorPool } from '../../cluster/controllers/linstor.js';
import { bootOnce } from '../boot/sequence.js';
import { Disk } from '../disk/disk.js';
import { bytesOf, file, textOf, type Entry } from '../disk/entry.js';
import type { FileSystem } from '../disk/file-system.js';
import type { FaultEffect, FaultPoint, FaultTable } from '../faults.js';
import { FIRST_SERVER_GPUS, serverDevices, type PciDevice } from '../pci/device.js';
import {
  DATA_DISK,
  type BootCause,
  type BootRecord,
  type BusyPeriod,
  type HostImage,
  type SimulatedDisk,
  type SimulatedHost,
  type SimulatedHostOptions,
  type SnapshotEntry,
  type Workload,
} from '../options.js';
import type { SshEndpoint } from '../ssh/endpoint.js';
import { BusyLog } from './busy.js';
import { delay } from './clock.js';
import { EFI_UUID, ROOT_UUID } from './file-systems.js';
import { Journal } from './journal.js';
import type { BootParameters, Kernel } from './kernel.js';

const MAX_CONSOLE_LINES = 5_000;
const MAX_COMMANDS = 2_000;
const MAX_PROGRAMS = 20_000;
const DEFAULT_WAIT_MS = 10_000;
const PANIC_MS = 200;

export interface MachineEnvironment {
  readonly faults: FaultTable;
  readonly disk: ReadonlyMap<string, Entry>;
  readonly ssh: SshEndpoint;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Machine implements SimulatedHost {
  readonly name: string;
  readonly serial: string;
  readonly uuid = randomUUID();
  readonly vendor = 'Supermicro';
  readonly model = 'SYS-821GE-TNHR';
  readonly disk: Disk;
  readonly rootUuid = ROOT_UUID;
  readonly devices: readonly PciDevice[];
  readonly disks: readonly SimulatedDisk[];
  /** What is on a disk, by its name; nothing for an empty one. */
  readonly signatures: Map<string, string>;
  /** LINSTOR's; gone with the cluster that knew them, while the disks keep what is on them. */
  readonly storagePools: Map<string, LinstorPool>;
  readonly journal = new Journal();
  readonly boots: Mutable<BootRecord>[] = [];
  readonly rebootRequests: string[] = [];
  readonly busyLog = new BusyLog();
  readonly workloads: Workload[] = [];
  /** TCP ports that programs of the host listen on, and where they really are on 127.0.0.1. */
  readonly ports = new Map<number, number>();
  /** The same for addresses that exist only inside the cluster, while k3s runs: ClusterIPs, which a CNI serves on the host too. */
  clusterPort: (address: string, port: number) => number | null = () => null;
  readonly clusterFolder: ClusterFolder;
  /** What was published to the archive since, whether or not the host has read its lists anew. */
  readonly published = new Set<string>();
  initramfsBuilds = 2;
  stage = 'off';
  kernel: Kernel | null = null;
  power: 'on' | 'off' = 'off';
  private readonly faults: FaultTable;
  private readonly endpoint: SshEndpoint;
  private readonly consoleLines: string[] = [];
  private readonly commandLines: string[] = [];
  private readonly programLines: string[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly listeners = new Set<(line: string) => void>();
  private session: AbortController | null = null;
  /** Ends the running boot and says why the next one starts. */
  private leave: ((cause: BootCause) => void) | null = null;
  private goingDown = false;

  constructor(
    readonly options: SimulatedHostOptions,
    environment: MachineEnvironment,
  ) {
    this.name = options.name;
    this.serial = options.serial ?? `SIM-${options.name.toUpperCase()}`;
    this.faults = environment.faults;
    this.disk = new Disk(environment.disk);
    this.endpoint = environment.ssh;
    const devices = serverDevices(options.gpus ?? FIRST_SERVER_GPUS, options.nvswitches ?? 0);
    const shared = devices.find((device) => device.address === options.sharedGroup)?.iommuGroup;
    this.devices =
      shared === undefined
        ? devices
        : devices.map((device) => (device.class === '020000' ? { ...device, iommuGroup: shared } : device));
    this.disks = options.disks ?? [DATA_DISK];
    this.signatures = new Map(options.image?.signatures);
    for (const { name, holds } of this.disks) if (holds !== undefined) this.signatures.set(name, holds);
    this.storagePools = new Map(options.image?.storagePools);
    this.clusterFolder = new ClusterFolder(options.image?.clusterFolder);
  }

  get hasIommu(): boolean {
    return this.options.iommu !== false;
  }

  get ssh(): SimulatedHost['ssh'] {
    return { host: '127.0.0.1', port: this.endpoint.port, user: 'ubuntu' };
  }

  get knownHostsLine(): string {
    return this.endpoint.knownHostsLine;
  }

  get bootId(): string | null {
    return this.kernel?.parameters.bootId ?? null;
  }

  get isUp(): boolean {
    return this.power === 'on' && this.kernel !== null && this.boots.at(-1)?.reached === 'up';
  }

  get busy(): readonly BusyPeriod[] {
    return this.busyLog.periods;
  }

  get sshEndpoint(): SshEndpoint {
    return this.endpoint;
  }

  // --- power ----------------------------------------------------------------------------------------------------------

  powerOn(): void {
    if (this.power === 'on') return;
    this.startSession('power-on');
  }

  powerOff(): void {
    this.cut('power off');
  }

  powerCut(): void {
    this.cut('power lost');
  }

  powerCycle(): void {
    this.cut('power cycle');
    this.startSession('power-cycle');
  }

  /** From inside, as a fault: the outage ends by itself after so long, or when somebody turns the power on. */
  powerFails(restoreAfterMs?: number): void {
    this.cut('power lost');
    if (restoreAfterMs !== undefined) setTimeout(() => this.powerOn(), restoreAfterMs).unref();
  }

  gracefulRestart(): void {
    if (this.hearsPowerButton()) void this.requestReboot('power button: restart', 'orderly');
  }

  gracefulShutdown(): void {
    if (this.hearsPowerButton()) void this.requestReboot('power button', 'orderly', true);
  }

  /** logind acts on the button: what hangs before systemd, or panics, never notices it. */
  private hearsPowerButton(): boolean {
    const reached = this.boots.at(-1)?.reached;
    return reached === 'system' || reached === 'up';
  }

  /** The machine is taken out of the rack. */
  async close(): Promise<void> {
    this.powerOff();
    this.endpoint.close();
    await this.clusterFolder.remove();
  }

  private cut(why: string): void {
    if (this.power === 'off') return;
    this.print(`-- ${why} --`);
    this.power = 'off';
    this.busyLog.leaves();
    this.session?.abort(new Error('the machine is off'));
    this.session = null;
    this.endKernel(this.options.silentPowerCut === true);
    this.disk.powerCut(Date.now());
    this.enter('off');
  }

  private startSession(cause: BootCause): void {
    this.power = 'on';
    this.busyLog.leaves();
    const session = new AbortController();
    this.session = session;
    void this.operate(cause, session.signal);
  }

  /** Boots until the power goes. */
  private async operate(first: BootCause, power: AbortSignal): Promise<void> {
    let cause = first;
    let kexec: BootParameters | null = null;
    while (!power.aborted) {
      const exit = new Promise<BootCause>((resolve) => {
        this.leave = resolve;
      });
      const over = new AbortController();
      const stages = bootOnce(this, cause, AbortSignal.any([power, over.signal]), kexec);
      // A stage that fails because its boot ended is no news.
      stages.catch((error: unknown) => {
        if (!power.aborted && !over.signal.aborted) this.print(`lab: the boot failed: ${String(error)}`);
      });
      const ended = new Promise<null>((resolve) =>
        power.addEventListener('abort', () => resolve(null), { once: true }),
      );
      const next = await Promise.race([exit, ended]);
      if (next === null) return;
      kexec = next === 'kexec' ? (this.kernel?.kexec ?? null) : null;
      over.abort(new Error('the boot is over'));
      this.endKernel(false);
      cause = next;
    }
  }

  private endKernel(silently: boolean): void {
    this.kernel?.end();
    this.kernel = null;
    this.goingDown = false;
    this.workloads.length = 0;
    this.ports.clear();
    this.clusterPort = () => null;
    this.endpoint.down(silently);
  }

  /** The running boot is over at once; the disk keeps what it has. */
  restart(cause: BootCause): void {
    this.leave?.(cause);
  }

  /**
   * `orderly` stops the services and unmounts; `forced` kills and unmounts; `immediate` loses what isn't synced. Resolves when the
   * request was accepted.
   */
  async requestReboot(by: string, how: 'orderly' | 'forced' | 'immediate', off = false): Promise<void> {
    const { kernel, session } = this;
    if (kernel === null || session === null) return;
    this.rebootRequests.push(by);
    this.changed();
    const fault = this.strike('reboot', by, kernel.parameters.commandLine);
    if (fault?.kind === 'refuse') return;
    if (this.goingDown && how !== 'immediate') return;
    this.goingDown = true;
    this.busyLog.leaves();
    if (fault?.kind === 'hang') {
      // Services are gone and the network with them; the kernel waits for a device for ever.
      void kernel.systemd?.stopAll().then(() => {
        this.endpoint.down(false);
        this.enter('shutdown');
      });
      return;
    }
    if (fault?.kind === 'delay') await delay(fault.ms, kernel.life.signal);
    void this.goDown(kernel, how, off).catch(() => {});
  }

  private async goDown(kernel: Kernel, how: 'orderly' | 'forced' | 'immediate', off: boolean): Promise<void> {
    if (how === 'immediate') {
      this.disk.powerCut(Date.now());
    } else {
      if (how === 'orderly') await kernel.systemd?.stopAll();
      await delay(this.options.shutdownMilliseconds ?? 150, kernel.life.signal);
      const target = `${off ? 'poweroff' : 'reboot'}.target`;
      const line = { bootId: kernel.parameters.bootId, at: Date.now(), identifier: 'systemd', unit: target };
      if (how === 'orderly') this.journal.add({ ...line, text: `Reached target ${target}.` });
      this.print(`[  OK  ] Reached target ${target}.`);
      this.disk.syncAll();
    }
    if (!kernel.alive) return;
    if (off) this.cut('power off by the system');
    else this.restart(how !== 'orderly' ? 'forced-reboot' : kernel.kexec === null ? 'reboot' : 'kexec');
  }

  sysrq(letter: string): void {
    if (letter === 's') this.disk.syncAll();
    else if (letter === 'b') void this.requestReboot('sysrq b', 'immediate');
    else if (letter === 'o') this.cut('power off by sysrq');
    else if (letter === 'c') this.panic('sysrq triggered crash');
  }

  /** Reboots where the command line says `panic=N`, else hangs until somebody cycles the power. */
  panic(text: string): void {
    const { kernel } = this;
    if (kernel === null) return;
    kernel.log(`Kernel panic - not syncing: ${text}`);
    const seconds = /\bpanic=(-?\d+)\b/.exec(kernel.parameters.commandLine)?.[1] ?? '0';
    this.busyLog.leaves();
    const record = this.boots.at(-1);
    if (record !== undefined) record.reached = 'panic';
    kernel.end();
    this.endpoint.down(false);
    this.disk.powerCut(Date.now());
    this.enter('panic');
    if (seconds === '0') return;
    this.print(`Rebooting in ${seconds} seconds..`);
    const signal = this.session?.signal;
    if (signal !== undefined)
      this.panicDelay(signal).then(
        () => this.restart('panic'),
        () => {},
      );
  }

  panicDelay(signal: AbortSignal): Promise<void> {
    return delay(this.options.panicMilliseconds ?? PANIC_MS, signal);
  }

  // --- what stages and programs use -----------------------------------------------------------------------------------

  strike(at: FaultPoint, subject: string, commandLine: string): FaultEffect | null {
    const effect = this.faults.strike(this.name, at, subject, commandLine);
    if (effect !== null) this.changed();
    return effect;
  }

  enter(stage: string): void {
    this.stage = stage;
    this.changed();
  }

  record(boot: BootRecord): void {
    this.boots.push({ ...boot });
    this.changed();
  }

  reached(state: BootRecord['reached']): void {
    const record = this.boots.at(-1);
    if (record !== undefined) record.reached = state;
    this.changed();
  }

  print(line: string): void {
    for (const hear of this.listeners) hear(line);
    this.consoleLines.push(line);
    if (this.consoleLines.length > MAX_CONSOLE_LINES)
      this.consoleLines.splice(0, this.consoleLines.length - MAX_CONSOLE_LINES);
    this.changed();
  }

  noteCommand(commandLine: string): void {
    this.commandLines.push(commandLine);
    if (this.commandLines.length > MAX_COMMANDS) this.commandLines.shift();
    this.changed();
  }

  noteProgram(commandLine: string): void {
    this.programLines.push(commandLine);
    if (this.programLines.length > MAX_PROGRAMS) this.programLines.shift();
  }

  changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  mountTable(): readonly string[] {
    return [
      `/dev/nvme0n1p2 / ext4 rw,relatime 0 0`,
      'sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0',
      'proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0',
      'udev /dev devtmpfs rw,nosuid,relatime 0 0',
      'tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime 0 0',
      '/dev/nvme0n1p1 /boot/efi vfat rw,relatime,fmask=0022,dmask=0022 0 0',
    ];
  }

  /** Devices that fstab asks for and that aren't there: systemd then ends in emergency mode. */
  missingMounts(fs: FileSystem): readonly string[] {
    return (fs.text('/etc/fstab') ?? '')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([what = '', , type = '', options = '']) =>
          what !== '' && !what.startsWith('#') && !/\b(nofail|noauto)\b/.test(options) && type !== 'tmpfs',
      )
      .map(([what = '']) => what)
      .filter((what) => {
        const uuid = /^(?:UUID=|\/dev\/disk\/by-uuid\/)(.+)$/.exec(what)?.[1];
        if (uuid !== undefined) return uuid !== this.rootUuid && uuid !== EFI_UUID;
        return what.startsWith('/dev/') && fs.entry(what) === undefined && !what.startsWith('/dev/nvme0n1');
      });
  }

  // --- what tests see -------------------------------------------------------------------------------------------------

  private rootEntry(path: string): Entry | undefined {
    return this.kernel === null ? this.disk.get(path) : this.kernel.fileSystem(0).entry(path);
  }

  readFile(path: string): string | null {
    const entry = this.rootEntry(path);
    if (entry === undefined || entry.kind === 'directory' || entry.kind === 'link') return null;
    return entry.kind === 'file' ? textOf(entry.content) : entry.read();
  }

  writeFile(path: string, content: string, mode = 0o644): void {
    if (this.kernel !== null) this.kernel.fileSystem(0).put(path, content, { mode });
    else this.disk.set(path, file(content, { mode, mtime: Date.now() }));
    if (this.disk.get(path) !== undefined) this.disk.syncAll();
  }

  grubSees(path: string): string | null {
    const entry = this.disk.grub(path);
    return entry?.kind === 'file' ? textOf(entry.content) : null;
  }

  snapshot(roots: readonly string[]): ReadonlyMap<string, SnapshotEntry> {
    const found = new Map<string, SnapshotEntry>();
    for (const path of [...this.disk.paths()].toSorted()) {
      if (!roots.some((root) => path === root || path.startsWith(`${root}/`))) continue;
      const entry = this.disk.get(path);
      if (entry === undefined || entry.kind === 'directory' || entry.kind === 'node') continue;
      const content = entry.kind === 'file' ? entry.content : bytesOf(entry.target);
      found.set(path, {
        sha256: createHash('sha256').update(content).digest('hex'),
        mode: entry.mode.toString(8),
        owner: `${entry.uid}:${entry.gid}`,
      });
    }
    return found;
  }

  drivers(): ReadonlyMap<string, string | null> {
    const states = this.kernel?.bus.states;
    return new Map(this.devices.map(({ address }) => [address, states?.get(address)?.driver ?? null]));
  }

  console(): string {
    return this.consoleLines.join('\n');
  }

  hearConsole(hear: (line: string) => void): () => void {
    this.listeners.add(hear);
    return () => void this.listeners.delete(hear);
  }

  commands(): readonly string[] {
    return [...this.commandLines];
  }

  programs(): readonly string[] {
    return [...this.programLines];
  }

  async execute(command: string): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    if (this.kernel === null) throw new Error(`${this.name} runs no kernel now (${this.stage})`);
    return this.kernel.execute(command);
  }

  waitFor(
    predicate: (host: SimulatedHost) => boolean,
    what = 'the condition',
    limitMs = DEFAULT_WAIT_MS,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      const look = (): void => {
        if (!predicate(this)) return;
        finish();
        resolve();
      };
      const timer = setTimeout(() => {
        finish();
        reject(
          new Error(
            `${this.name}: waited ${limitMs} ms for ${what}; it is in stage ${this.stage}\n${this.consoleLines.slice(-15).join('\n')}`,
          ),
        );
      }, limitMs);
      this.watchers.add(look);
      look();
    });
  }

  dropLinks(): void {
    this.endpoint.dropLinks();
  }

  async image(clusterFolder: string): Promise<HostImage> {
    if (this.power === 'on') throw new Error(`${this.name} is on: what it writes meanwhile would be missing`);
    return {
      disk: this.disk.copy(),
      signatures: new Map(this.signatures),
      storagePools: new Map(this.storagePools),
      clusterFolder: (await this.clusterFolder.copyTo(clusterFolder)) ? clusterFolder : null,
    };
  }

  publish(pocket: string): void {
    this.published.add(pocket);
  }

  startWorkload(workload: Workload): void {
    this.workloads.push(workload);
  }

  stopWorkloads(): void {
    this.workloads.length = 0;
  }
}
