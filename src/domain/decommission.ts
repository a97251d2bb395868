/**
 * Giving the GPUs back to the host: what a person approves, and what stands in its way.
 * @module
 */
import { named, withoutHashes, workProblems } from './obstacles.js';
import type { PciAddress } from './spec.js';

/** The part the digest is made of: anything here that changes voids an approval. */
export interface DecommissionFacts {
  readonly bootId: string;
  /** The run whose commit is taken back. */
  readonly committedBy: string;
  readonly strategy: 'known-good' | 'direct';
  /** Files and boot images that are put back, with the hash that they have now; null where there is none. */
  readonly paths: readonly { readonly path: string; readonly now: string | null }[];
  /** Of these, what is not as it was committed: somebody's change since, which is lost. */
  readonly changedSince: readonly string[];
  /** Boot images that are in no ledger, since their kernel came later: they are rebuilt without the hook. */
  readonly laterImages: readonly string[];
  readonly devices: readonly {
    readonly address: PciAddress;
    readonly driver: string | null;
    /** As before the isolation. */
    readonly wanted: string | null;
  }[];
  /** Title of the entry that is booted afterwards. */
  readonly ordinaryEntry: string;
  /** What the reboot stops and brings back. */
  readonly foreignPods: readonly string[];
}

export interface DecommissionPlan extends DecommissionFacts {
  /** Eight hex digits in two groups. */
  readonly digest: string;
  /** After this long without the host the ladder goes on. */
  readonly alarmSeconds: number;
  readonly bmc: { readonly kind: 'none' | 'ipmi' | 'redfish'; readonly tested: boolean };
  /** What is there afterwards all the same. */
  readonly stays: readonly string[];
  readonly allows: { readonly reboots: number; readonly powerCycles: number };
}

/** What giving back would destroy or could not prove. Each names what would be right. */
export interface Obstacles {
  /** null when there is no ledger. */
  readonly ledger: { readonly run: string; readonly state: 'open' | 'committed' } | null;
  /** A decommission began here and was lost: then an open ledger is its own. */
  readonly begun: boolean;
  /** Whether the commit noted the hashes of what it left. */
  readonly noted: boolean;
  /** Driver by address before the isolation; null where the ledger doesn't say. */
  readonly nativeDrivers: Readonly<Record<PciAddress, string | null>> | null;
  readonly strategy: 'known-good' | 'direct';
  readonly knownGoodIntact: boolean;
  readonly vms: readonly string[];
  readonly gpuProcesses: readonly string[];
  /** `Kubernetes NAMESPACE/NAME`. */
  readonly nestedClusters: readonly string[];
}

export function whyNotGivenBack(found: Obstacles, server: string): readonly string[] {
  return [...ledgerProblems(found, server), ...workProblems(found), ...nestedProblems(found)];
}

function ledgerProblems(found: Obstacles, server: string): readonly string[] {
  const { ledger, nativeDrivers } = found;
  if (ledger === null) return ['no run has committed anything on this host, so there is nothing to give back'];
  if (ledger.state === 'open' && !found.begun)
    return [
      `run ${ledger.run} changed the host and ended without a commit: start-provision --server ${server} takes that back first`,
    ];
  if (!found.noted) return [withoutHashes(ledger.run)];
  const problems: string[] = [];
  const isolated = Object.entries(nativeDrivers ?? {}).filter(([, driver]) => driver === 'vfio-pci');
  if (nativeDrivers === null || isolated.length > 0)
    problems.push(
      `the ledger does not say how the host was before it was isolated: ${isolated.length === 0 ? 'its baseline is missing' : `${isolated.map(([address]) => address).join(', ')} on vfio-pci even then`}. The ledger from before is in /var/lib/gpu-provision/archive`,
    );
  if (found.strategy === 'known-good' && !found.knownGoodIntact)
    problems.push('the known-good copy is damaged, so there would be nothing to fall back to');
  return problems;
}

const nestedProblems = ({ nestedClusters }: Obstacles): readonly string[] =>
  named('nested clusters of the inventory are there', nestedClusters, 'Delete them with kubectl');

/** What is asked. */
export function decommissionQuestion(plan: DecommissionPlan, server: string): string {
  const { devices, paths, laterImages, changedSince, foreignPods, stays, allows, digest, strategy, bmc } = plan;
  const drivers = [...new Set(devices.map(({ wanted }) => wanted ?? 'no driver'))].join(', ');
  const tested = bmc.kind === 'none' ? 'no BMC' : `BMC ${bmc.tested ? 'tested' : 'NOT tested'}`;
  const fallback =
    strategy === 'direct'
      ? `strategy direct: a boot that fails does not fall back (${tested})`
      : `a boot that fails is followed by known-good (${tested})`;
  const remade = [...changedSince.filter((path) => MADE_ANEW.test(path)), ...laterImages];
  const lost = changedSince.filter((path) => !MADE_ANEW.test(path));
  return [
    `${server} gives ${devices.length} GPUs back to the host: vfio-pci -> ${drivers}`,
    `${paths.length} files and boot images are put back as they were before run ${plan.committedBy}`,
    ...(remade.length === 0
      ? []
      : [`Changed since, so made anew without the hook and its arguments: ${remade.join(', ')}`]),
    ...(lost.length === 0 ? [] : [`CHANGED SINCE, AND LOST: ${lost.join(', ')}`]),
    `One reboot into "${plan.ordinaryEntry}", alarm after ${Math.round(plan.alarmSeconds / 60)} min; ${fallback}`,
    `Stops ${foreignPods.length === 0 ? 'no foreign pod' : foreignPods.join(', ')}`,
    `Stays: ${stays.join('; ')}`,
    `Allows ${allows.reboots} reboots and ${allows.powerCycles} power cycles`,
    `Digest ${digest}`,
  ].join('. ');
}

/** What is generated from the rest of the host: made once more, since the one from before knows nothing of what came since. */
const MADE_ANEW = /^\/boot\/(?:initrd\.img-|grub\/grub\.cfg$)/;

/** What differs between two plans, in a sentence for the person whose approval is void. */
export function decommissionDifference(before: DecommissionFacts, now: DecommissionFacts): string {
  const parts: string[] = [];
  if (before.bootId !== now.bootId) parts.push('the host was rebooted');
  if (before.ordinaryEntry !== now.ordinaryEntry) parts.push(`the ordinary entry is "${now.ordinaryEntry}"`);
  for (const { path, now: hash } of now.paths) {
    if (before.paths.find((p) => p.path === path)?.now !== hash) parts.push(`${path} changed`);
  }
  for (const { address, driver } of now.devices) {
    if (before.devices.find((d) => d.address === address)?.driver !== driver)
      parts.push(`${address} is on ${driver ?? 'no driver'}`);
  }
  for (const pod of now.foreignPods) if (!before.foreignPods.includes(pod)) parts.push(`${pod} started`);
  return parts.length === 0 ? 'the host changed' : parts.slice(0, 5).join('; ');
}
