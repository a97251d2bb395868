/**
 * What a rack is made of, and what tests see of it.
 * @module
 */
import type { ClusterFault } from '../cluster/contract.js';
import type { LinstorPool } from '../cluster/controllers/linstor.js';
import type { Entry } from './disk/entry.js';
import type { FaultRule, FaultTable } from './faults.js';

export interface SimulatedHostOptions {
  readonly name: string;
  /** DMI serial; default `SIM-NAME`. */
  readonly serial?: string;
  /** Full PCI addresses; default the eight of the mission's first server. */
  readonly gpus?: readonly string[];
  /** 0 or 4; NVSwitches that the nvidia module drives too. */
  readonly nvswitches?: number;
  /** From power-on to GRUB, default 400. */
  readonly bootMilliseconds?: number;
  /** From the reboot request to the end of the old boot, default 150. */
  readonly shutdownMilliseconds?: number;
  /** One run of update-initramfs for one kernel, default 150. */
  readonly initramfsMilliseconds?: number;
  /** What `panic=30` takes, default 200. */
  readonly panicMilliseconds?: number;
  /** What the initramfs waits for a root disk that is not there, default 200; 30 seconds on a real host. */
  readonly rootWaitMilliseconds?: number;
  /** False: /boot is on a device that GRUB can only read (md RAID, LVM). */
  readonly grubenvWritable?: boolean;
  /** False: no IOMMU in firmware. */
  readonly iommu?: boolean;
  /** A NIC shares the IOMMU group of this GPU. */
  readonly sharedGroup?: string;
  /** Disks besides the root disk, by name under /dev; default one, empty: DATA_DISK. */
  readonly disks?: readonly SimulatedDisk[];
  /** Its address in the cluster network; `ip` shows it. */
  readonly nodeIP?: string;
  /** Files that differ from a fresh Ubuntu 24.04, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Answers to curl, by URL; added to the k3s release that every host finds. */
  readonly downloads?: Readonly<Record<string, string | Uint8Array>>;
  /** Beginnings of URLs that nobody answers at. */
  readonly unreachable?: readonly string[];
  /** After a power cut, TCP connections stay silent until the next boot instead of being reset. */
  readonly silentPowerCut?: boolean;
  /** Rules for what goes wrong in its cluster. */
  readonly clusterFaults?: readonly ClusterFault[];
  /** Begins where the host ended that this was taken of, instead of fresh. The name must be the same: a cluster knows its node by it. */
  readonly image?: HostImage;
}

/** What outlasts the power: of one host that is prepared, many begin. */
export interface HostImage {
  readonly disk: ReadonlyMap<string, Entry>;
  /** Of the other disks, by name: what is on them. */
  readonly signatures: ReadonlyMap<string, string>;
  readonly storagePools: ReadonlyMap<string, LinstorPool>;
  /** Where the objects of its cluster are; null without a cluster. */
  readonly clusterFolder: string | null;
}

export interface SimulatedDisk {
  readonly name: string;
  /** Below /dev/disk/by-id. */
  readonly id: string;
  readonly serial: string;
  readonly bytes: number;
  readonly model: string;
  /** What wipefs finds on it at first: `ext4`, `gpt`, …; nothing when left out. */
  readonly holds?: string;
}

export const DATA_DISK: SimulatedDisk = {
  name: 'nvme1n1',
  id: 'nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001',
  serial: 'S64GNE0R100001',
  bytes: 3_840_755_982_336,
  model: 'SAMSUNG MZQL23T8HCLS-00A07',
};

export interface RackOptions {
  readonly hosts: readonly SimulatedHostOptions[];
  readonly faults?: readonly FaultRule[];
}

export interface Rack {
  host(name: string): SimulatedHost;
  readonly hosts: readonly SimulatedHost[];
  readonly faults: FaultTable;
  /** Client private key made for this rack, OpenSSH format. */
  readonly clientKey: string;
  /** Lines for known_hosts: `[127.0.0.1]:PORT ssh-ed25519 …`. */
  readonly knownHosts: string;
  close(): Promise<void>;
}

export type BootCause = 'power-on' | 'power-cycle' | 'reboot' | 'forced-reboot' | 'panic' | 'grub-reboot' | 'kexec';

export interface BootRecord {
  readonly bootId: string;
  /** Id of the menu entry; null for kexec. */
  readonly entry: string | null;
  readonly commandLine: string;
  readonly cause: BootCause;
  readonly startedAt: number;
  /** `initramfs`, `system` when systemd has started, `up` when multi-user is reached, `emergency`, `panic`. */
  readonly reached: 'kernel' | 'initramfs' | 'system' | 'up' | 'emergency' | 'panic';
}

/** Times in milliseconds since 1970. */
export interface BusyPeriod {
  /**
   * `command` came over SSH; `unit` is a transient unit, which may outlive the command that started it; `boot` lasts from the reboot
   * (or the loss of power) until sshd listens.
   */
  readonly kind: 'command' | 'unit' | 'boot';
  /** Command line, name of the unit, id of the new boot. */
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** A path in a snapshot. Links have their target's text hashed. */
export interface SnapshotEntry {
  readonly sha256: string;
  /** Octal. */
  readonly mode: string;
  /** `0:0` */
  readonly owner: string;
}

export interface Workload {
  /** `qemu`: a VM without a cluster; `gpu`: a process with an open GPU; `user`: a login session. */
  readonly kind: 'qemu' | 'gpu' | 'user';
  readonly command: string;
  readonly user?: string;
  /** As ps shows it; `D` is a process that no signal reaches. Default `Sl`. */
  readonly state?: string;
}

export interface SimulatedHost {
  readonly name: string;
  readonly serial: string;
  readonly uuid: string;
  readonly ssh: { readonly host: string; readonly port: number; readonly user: 'ubuntu' };
  /** Line for known_hosts with the key it has now. */
  readonly knownHostsLine: string;
  readonly boots: readonly BootRecord[];
  readonly power: 'on' | 'off';
  /** null while no kernel runs. */
  readonly bootId: string | null;
  /** Whether multi-user is reached. */
  readonly isUp: boolean;
  /** Commands that asked for a reboot, in order. */
  readonly rebootRequests: readonly string[];
  /** What it was busy with, in the order in which it ended; bounded. */
  readonly busy: readonly BusyPeriod[];
  /** Where the machine stands or hangs: `off`, `firmware`, `grub-menu`, `initramfs`, `initramfs-shell`, `halted`, `system`, `emergency`, `panic`. */
  readonly stage: string;
  /** Behind the system's back; null when there is no such file. As root, on the live file system. */
  readFile(path: string): string | null;
  writeFile(path: string, content: string, mode?: number): void;
  /** What GRUB would read now. */
  grubSees(path: string): string | null;
  snapshot(roots: readonly string[]): ReadonlyMap<string, SnapshotEntry>;
  /** By device address; null for an unbound device. All of PCI. */
  drivers(): ReadonlyMap<string, string | null>;
  console(): string;
  /** Each line as it is printed, until the answer is called. */
  hearConsole(hear: (line: string) => void): () => void;
  /** Command lines that came over SSH, newest last; bounded. */
  commands(): readonly string[];
  /** Command lines of the programs that ran, whoever called them, newest last; bounded. */
  programs(): readonly string[];
  /** Runs a command as root behind everybody's back. */
  execute(command: string): Promise<{ readonly stdout: string; readonly stderr: string; readonly exitCode: number }>;
  /** Resolves as soon as the predicate holds; asked again after every event of the host. Rejects after the limit (default 10 s). */
  waitFor(predicate: (host: SimulatedHost) => boolean, what?: string, limitMs?: number): Promise<void>;
  /** Something newer comes to the archive, by its pocket: apt knows of it when it has read its lists. */
  publish(pocket: string): void;
  /** Until the host reboots. */
  startWorkload(workload: Workload): void;
  stopWorkloads(): void;
  /** The power fails: what wasn't synced is lost. */
  powerCut(): void;
  powerOff(): void;
  powerOn(): void;
  /** Off, and on again at once. */
  powerCycle(): void;
  /** The ACPI power button with a restart: the operating system reboots in order, if it still can. */
  gracefulRestart(): void;
  /** ACPI power button: orderly shutdown, then off. */
  gracefulShutdown(): void;
  /** Breaks every SSH connection; the host goes on. */
  dropLinks(): void;
  /** Of a host that is off. The objects of its cluster are copied to the folder, which is the caller's to remove. */
  image(clusterFolder: string): Promise<HostImage>;
}
