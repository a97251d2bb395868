/**
 * What preflight knows about a host. null means that it could not be read, which is never taken for good news.
 * @module
 */
import type { DiskFacts } from '../cluster/disks.js';
import type { FoundK3s } from '../cluster/k3s.js';
import type { PoolFacts } from '../cluster/storage.js';
import type { Workloads } from '../cluster/workloads.js';
import type { PciDeviceFacts } from '../gpu/pci.js';
import type { PhaseName } from '../run/phases.js';

export interface IdentityFacts {
  readonly hostname: string | null;
  /** DMI system serial. */
  readonly serial: string | null;
  /** `ubuntu`, `24.04`, `Ubuntu 24.04.3 LTS`. */
  readonly osId: string | null;
  readonly osVersion: string | null;
  readonly osName: string | null;
  /** `x86_64`. */
  readonly arch: string | null;
  readonly kernel: string | null;
  readonly uid: number | null;
  readonly bootId: string | null;
  readonly uptimeSeconds: number | null;
  readonly commandLine: string | null;
  /** The CPU can run guests: the flag vmx or svm. */
  readonly virtualisation: boolean;
  readonly iommuGroups: number;
  /** vfio would take devices without any IOMMU. */
  readonly unsafeNoiommu: boolean;
}

export interface BootImage {
  readonly kernel: string;
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface BootFacts {
  /** Kernels in /boot and their size in bytes, by version. */
  readonly kernels: Readonly<Record<string, number>>;
  readonly images: readonly BootImage[];
  /** When the running kernel started, seconds since 1970. */
  readonly bootTime: number | null;
  /** Kernel of the entry that update-grub made the default. */
  readonly defaultKernel: string | null;
  /** A known-good copy of ours is complete. */
  readonly knownGood: boolean;
  readonly efi: boolean;
  /** null when it can't be told. */
  readonly secureBoot: boolean | null;
  /** What GRUB calls them: `ext2` for ext2 to ext4; `lvm`, `mdraid1x diskfilter`; empty for a plain partition. */
  readonly grubFs: string | null;
  readonly grubAbstraction: string | null;
  /** As Linux mounts /boot/grub: `ext4`. */
  readonly mountFs: string | null;
  readonly mountOptions: readonly string[];
  readonly grubenvBytes: number | null;
  readonly grubenv: Readonly<Record<string, string>> | null;
  /** GRUB_* of /etc/default/grub and its drop-ins, the last one wins. */
  readonly settings: Readonly<Record<string, string>>;
  readonly customCfg: 'absent' | 'ours' | 'foreign';
  /** grub.cfg reads custom.cfg; without that nothing in there decides. */
  readonly customCfgRead: boolean;
  readonly kexecLoaded: boolean | null;
  readonly nextroot: boolean;
  readonly rebootRequired: boolean;
  readonly rebootRequiredBy: readonly string[];
  /** What findmnt complains about; null when fstab could not be checked. */
  readonly fstab: { readonly ok: boolean; readonly text: string } | null;
}

export interface InitramfsFacts {
  /** Package that owns /usr/sbin/update-initramfs. */
  readonly owner: string | null;
  readonly dracut: boolean;
  /** `yes`, `no` or `all`. */
  readonly updateInitramfs: string | null;
  /** Scripts in init-top that are not ours. */
  readonly initTop: readonly string[];
  /** Files that decide about driver_override or vfio and are not ours. */
  readonly overrideWriters: readonly string[];
}

export interface SpaceFacts {
  readonly bytes: number;
  /** null where the file system has no fixed number of inodes. */
  readonly inodes: number | null;
  readonly mountOptions: readonly string[];
}

export const SPACE_DIRS = ['/boot', '/var/lib', '/var/tmp'] as const;
export type SpaceDir = (typeof SPACE_DIRS)[number];

export interface SystemFacts {
  readonly space: Readonly<Record<SpaceDir, SpaceFacts | null>>;
  /** Packages that are half installed, as dpkg reports them; empty when clean. */
  readonly dpkgAudit: readonly string[] | null;
  /** `COMMAND (pid N)` of whoever holds a lock of apt or dpkg. */
  readonly lockHolders: readonly string[] | null;
  readonly mollyGuard: boolean;
  /** `running`, `degraded`, `starting`, … */
  readonly state: string | null;
  /** Whoever blocks a shutdown. */
  readonly inhibitors: readonly string[];
  /** `done`, `running`, `disabled`, `error`; null where there is no cloud-init. */
  readonly cloudInit: string | null;
  readonly clockSynchronized: boolean | null;
  readonly earlierBootSeconds: readonly number[];
  /** Units of any run of ours that are at work now. */
  readonly ourUnits: readonly string[];
}

export interface BmcFacts {
  readonly kind: 'none' | 'ipmi' | 'redfish';
  /** Why it can't be used; null when it answers, or when there is none. */
  readonly problem: string | null;
  readonly power: 'on' | 'off' | 'unknown';
  readonly serial: string | null;
}

/** Who held the host before. */
export interface LedgerFacts {
  /** Run that holds the host now. */
  readonly holder: string | null;
  readonly state: 'none' | 'open' | 'committed';
  /** Name of the server under which it was provisioned, when it was noted. */
  readonly server: string | null;
  readonly at: string | null;
  /** Why the ledger can't be read; null when it can. */
  readonly problem: string | null;
}

/** What the run would download and cannot. */
export interface ReachFacts {
  readonly asked: number;
  readonly silent: readonly { readonly what: string; readonly mirror: string; readonly urls: readonly string[] }[];
}

export type Told<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly problem: string };

export interface HostFacts {
  /** The run that asks. */
  readonly runId: string;
  /** What it is to do: a check of what only other phases need is not held against the host. */
  readonly phases: readonly PhaseName[];
  readonly identity: IdentityFacts;
  readonly boot: BootFacts;
  readonly initramfs: InitramfsFacts;
  readonly system: SystemFacts;
  readonly devices: readonly PciDeviceFacts[];
  readonly bmc: BmcFacts;
  readonly failedUnits: readonly string[];
  readonly stuckProcesses: readonly string[];
  readonly workloads: Told<Workloads>;
  readonly k3s: Told<FoundK3s>;
  readonly reach: ReachFacts;
  /** Objects that the later phases would refuse to touch, one line each. */
  readonly clusterConflicts: Told<readonly string[]>;
  readonly storage: {
    /** LINSTOR's pool on this host; null without one. */
    readonly pool: Told<PoolFacts | null>;
    /** Those of the inventory. */
    readonly disks: readonly DiskFacts[];
  };
  readonly ledger: LedgerFacts;
}
