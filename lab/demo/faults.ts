/**
 * What the demo can break, and how the run must end then. Rules of the rack where a rule can say it; else something that is done to the host or the worker.
 * @module
 */
import type { Outcome } from '../../src/domain/run/outcomes.js';
import type { FaultRule } from '../rack/faults.js';
import type { SimulatedHost } from '../rack/options.js';

/** Inventory durations. A simulated boot takes half a second, of which a busy machine makes ten. */
export interface DemoDurations {
  readonly deadMan: string;
  /** From the reboot to the first look; then the BMC is asked for help. */
  readonly wait: string;
}

export const DURATIONS: DemoDurations = { deadMan: '40s', wait: '25s' };

export interface DemoFault {
  readonly name: string;
  /** What happens, one line. */
  readonly summary: string;
  /** How a run with it ends when everything is approved. */
  readonly ends: Outcome;
  readonly rules?: readonly FaultRule[];
  /** Where the demo's usual durations are too short for it. */
  readonly durations?: Partial<DemoDurations>;
  /** Done before the run starts. */
  readonly before?: (host: SimulatedHost) => void;
  /** Done once, when the approval is asked for. */
  readonly whenAsked?: (host: SimulatedHost) => void;
  /** Done once, when the host has been asked to reboot: the worker is killed without warning and comes back later. */
  readonly killsWorker?: boolean;
}

/** Only in a boot of the trial entry. */
const TRIAL = 'gpu-provision.trial=';

export const DEMO_FAULTS: readonly DemoFault[] = [
  {
    name: 'gpu-clings-to-native-driver',
    summary: 'one GPU of eight stays on the nvidia driver after the reboot: verification fails',
    ends: 'restored',
    rules: [{ at: 'pci-bind', match: '0000:87:00.0', boot: TRIAL, effect: { kind: 'native-wins' }, times: 9 }],
  },
  {
    name: 'host-never-returns',
    summary: 'the new image hangs before the network and the dead-man: the BMC power-cycles into known good',
    ends: 'restored',
    rules: [{ at: 'boot', match: 'mount-root', boot: TRIAL, effect: { kind: 'hang' } }],
  },
  {
    name: 'trial-without-network',
    summary: 'the new image boots without network: the dead-man reboots into known good',
    ends: 'restored',
    rules: [{ at: 'boot', match: 'network', boot: TRIAL, effect: { kind: 'refuse' } }],
    // Long enough for the dead-man to act before the BMC does.
    durations: { wait: '60s' },
  },
  {
    name: 'kernel-panic',
    summary: 'the new image panics: the kernel reboots by itself into known good',
    ends: 'restored',
    rules: [{ at: 'boot', match: 'kernel', boot: TRIAL, effect: { kind: 'panic' } }],
  },
  {
    name: 'power-cut-while-waiting',
    summary: 'the power fails while the approval waits: known good boots, the approval is asked again',
    ends: 'provisioned',
    whenAsked: (host) => {
      host.powerCut();
      host.powerOn();
    },
  },
  {
    name: 'link-lost-while-building',
    summary: 'the SSH link breaks while the images are built: the build is found again, not repeated',
    ends: 'provisioned',
    rules: [{ at: 'ssh', match: 'update-initramfs', effect: { kind: 'drop-link', when: 'during' } }],
  },
  {
    name: 'worker-dies-while-rebooting',
    summary: 'the worker is killed while the host is away, and started again: the run goes on where it was',
    ends: 'provisioned',
    killsWorker: true,
    // Temporal notices after ten seconds that a worker is gone.
    durations: { deadMan: '90s', wait: '100s' },
  },
  {
    name: 'vm-is-running',
    summary: 'a virtual machine runs on the host: preflight refuses',
    ends: 'refused',
    before: (host) => host.startWorkload({ kind: 'qemu', command: 'qemu-system-x86_64 -name db-0 -m 4096' }),
  },
];
