/**
 * What a person approves: the staged change, complete enough to be judged, small enough to be read.
 * @module
 */
import type { PciAddress } from '../spec.js';
import { pinned, type KernelUpgrade } from './kernel-upgrade.js';

export interface PlannedFile {
  readonly path: string;
  readonly sha256: string;
  readonly action: 'new' | 'changed' | 'kept';
}

export interface PlannedImage {
  readonly path: string;
  readonly kernel: string;
  readonly sha256: string;
}

export interface PlannedDevice {
  readonly address: PciAddress;
  /** `10de:2330`. */
  readonly id: string;
  /** Driver bound now, or null. */
  readonly driver: string | null;
  readonly iommuGroup: number;
}

/** The part the digest is made of: anything here that changes voids an approval. */
export interface RebootPlanFacts {
  readonly bootId: string;
  readonly kernel: string;
  readonly strategy: 'known-good' | 'direct';
  readonly files: readonly PlannedFile[];
  readonly images: readonly PlannedImage[];
  /** Kernel command line of the running boot and of the trial. */
  readonly commandLine: { readonly now: string; readonly next: string };
  /** The default entry as GRUB would choose it now. */
  readonly defaultEntry: string;
  readonly devices: readonly PlannedDevice[];
  /** What runs on the host now that the reboot would stop: names, sorted. */
  readonly workloads: {
    readonly vms: readonly string[];
    readonly gpuProcesses: readonly string[];
    readonly foreignPods: readonly string[];
  };
  /** The kernel that is installed first; left out where none is. */
  readonly upgrade?: KernelUpgrade;
}

export interface RebootPlan extends RebootPlanFacts {
  /** `7f3a-91c2`: the first 32 bits of the SHA-256 over the canonical JSON of the facts. */
  readonly digest: string;
  /** Complete SHA-256. */
  readonly sha256: string;
  /** `proven`: what is booted was proven and committed before; `kernel`: a kernel beside it; left out for an image that is staged already. */
  readonly boots?: 'proven' | 'kernel';
  readonly imagesRebuilt: number;
  /** Unified diff of the generated grub.cfg and the files, at most 6,000 characters, with a note when cut. */
  readonly diff: string;
  /** Durations of earlier boots in seconds, newest first; from journalctl's list of boots. */
  readonly earlierBootSeconds: readonly number[];
  readonly alarmSeconds: number;
  readonly deadManSeconds: number;
  readonly bmc: { readonly kind: 'none' | 'ipmi' | 'redfish'; readonly tested: boolean; readonly console: boolean };
  /** ISO 8601; null when there is no node to cordon yet. */
  readonly cordonedAt: string | null;
  readonly stays: readonly string[];
  readonly warnings: readonly string[];
  readonly allows: { readonly reboots: number; readonly powerCycles: number };
}

/** What undo may do, printed with the question and approved together with the reboot. */
export const UNDO_ALLOWANCE = { reboots: 2, powerCycles: 2 } as const;

/** What differs between two plans, in a sentence for the person whose approval is void. */
export function planDifference(before: RebootPlanFacts, now: RebootPlanFacts): string {
  const parts: string[] = [];
  if (before.bootId !== now.bootId) parts.push('the host was rebooted');
  if (before.kernel !== now.kernel) parts.push(`the kernel changed from ${before.kernel} to ${now.kernel}`);
  if (before.defaultEntry !== now.defaultEntry) parts.push(`the default entry changed to ${now.defaultEntry}`);
  if (before.commandLine.next !== now.commandLine.next) parts.push('the command line changed');
  parts.push(...changedPackages(before, now));
  parts.push(...changedPaths(before.files, now.files), ...changedPaths(before.images, now.images));
  for (const device of now.devices) {
    const was = before.devices.find((d) => d.address === device.address);
    if (JSON.stringify(was) !== JSON.stringify(device)) parts.push(`${device.address} changed`);
  }
  for (const kind of ['vms', 'gpuProcesses', 'foreignPods'] as const) {
    const started = now.workloads[kind].filter((name) => !before.workloads[kind].includes(name));
    const stopped = before.workloads[kind].filter((name) => !now.workloads[kind].includes(name));
    if (started.length > 0) parts.push(`started: ${started.join(', ')}`);
    if (stopped.length > 0) parts.push(`stopped: ${stopped.join(', ')}`);
  }
  return parts.length === 0 ? 'the staged state changed' : parts.slice(0, 5).join('; ');
}

function changedPackages(before: RebootPlanFacts, now: RebootPlanFacts): string[] {
  const [was, is] = [before, now].map(({ upgrade }) => pinned(upgrade?.packages ?? []));
  const changed = is?.filter((name) => was?.includes(name) !== true) ?? [];
  return changed.length === 0 ? [] : [`apt would install ${changed.join(', ')}`];
}

function changedPaths(
  before: readonly { path: string; sha256: string }[],
  now: readonly { path: string; sha256: string }[],
): string[] {
  const hashes = new Map(before.map((f) => [f.path, f.sha256]));
  const changed = now.filter((f) => hashes.get(f.path) !== f.sha256).map((f) => `${f.path} changed`);
  const gone = before.filter((f) => !now.some((n) => n.path === f.path)).map((f) => `${f.path} is gone`);
  return [...changed, ...gone];
}

/** Whichever port it is: which of them a BMC hands out, only its manual says. */
const SERIAL_CONSOLE = /(?:^|\s)console=tty(?:S|AMA)\d/;

/** What a person should know before the approval: nobody would see why, or nobody could help. */
export function rebootWarnings(
  { kind, console }: RebootPlan['bmc'],
  { strategy, commandLine }: Pick<RebootPlanFacts, 'strategy' | 'commandLine'>,
): readonly string[] {
  const warnings: string[] = [];
  if (!console) warnings.push('BMC console unavailable: a hang would leave no screen output');
  else if (!SERIAL_CONSOLE.test(commandLine.next)) {
    warnings.push(
      "no console=ttyS… on the kernel's command line: the BMC console would show firmware and GRUB at most, and no panic",
    );
  }
  if (kind === 'none') warnings.push('no BMC: a host that hangs needs a person at the machine');
  if (strategy === 'direct') {
    warnings.push(
      'direct strategy: the new image is the default at once; a power cycle boots it again, not the old one',
    );
  }
  return warnings;
}
