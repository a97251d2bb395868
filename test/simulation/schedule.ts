/**
 * What happens in one simulated run, drawn from a seed: faults, the machine's moods, and people.
 * @module
 */
import { FAULTS, type Fault, type FaultName } from '../faults.js';
import { ALL_STEPS } from '../workflow/modelled-activities.js';
import type { BootBehaviour } from '../workflow/world.js';

export interface GateAnswer {
  readonly how: 'approve' | 'approve-twice' | 'approve-what-drifted' | 'wrong-digest' | 'reject' | 'never' | 'cancel';
  readonly afterSeconds: number;
  readonly by: 'signal' | 'update';
}

export interface Schedule {
  /** A reboot and an upgrade of the kernel are of a host that is found isolated. */
  readonly purpose: 'provision' | 'reboot' | 'upgrade-kernel';
  /** Phases 1 to 4 alone, or all. */
  readonly phases: 'isolation' | 'all';
  readonly acceptance: 'nested' | 'all';
  readonly faults: readonly Fault[];
  readonly behaviours: readonly BootBehaviour[];
  /** How many power cycles end between off and on. */
  readonly cyclesThatStop: number;
  /** To each question of a kind in turn; after the last: approve, give up, put right. */
  readonly gates: readonly GateAnswer[];
  readonly parked: readonly ('resume' | 'reject' | 'cancel')[];
  readonly needsHands: readonly ('put-right' | 'as-it-is')[];
  readonly disks: number;
  /** How the host is: fresh, isolated already, with a k3s and a nested cluster of others, staged by a lost run, held by another, unfit. */
  readonly found: 'fresh' | 'isolated' | 'in-use' | 'abandoned' | 'held' | 'unfit';
}

export const CALM: Schedule = {
  purpose: 'provision',
  phases: 'all',
  acceptance: 'nested',
  faults: [],
  behaviours: [],
  cyclesThatStop: 0,
  gates: [],
  parked: [],
  needsHands: [],
  disks: 1,
  found: 'fresh',
};

/** mulberry32: small, and the same everywhere. Source: https://github.com/cprosche/mulberry32. */
export class Random {
  constructor(private state: number) {}

  /** From 0 up to and without 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  of<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError('nothing to choose from');
    return value;
  }
}

const STEP_NAMES = ALL_STEPS.map(({ name }) => name);
const UNDO_NAMES = ALL_STEPS.filter(({ undo }) => undo).map(({ name }) => `${name}.undo`);
/** From what is staged to a boot, by every rung of the ladder. */
const REBOOTING = [
  'reboot.arm',
  'reboot.request',
  'reboot.await-left',
  'reboot.await-return',
  'reboot.look',
  'bmc.console',
  'bmc.look',
  'bmc.graceful-restart',
  'bmc.power-cycle',
  'bmc.power-on',
];
/** What decides most: reboot, proof, commit and the way back. */
const CRITICAL = [
  'isolation.read-state',
  'isolation.read-plan',
  'isolation.verify-devices',
  ...REBOOTING,
  'commit.confirm-boot',
  'commit.check-default',
  'commit.make-default',
  'commit.close',
  'workloads.cordon',
  'workloads.uncordon',
  'restore.take-over',
  'restore.publish-ordinary-once',
  'restore.disarm',
  'restore.verify',
  'restore.close-ledger',
  'host.release',
  'storage.read-plan',
];
const BEHAVIOURS: readonly BootBehaviour[] = [
  'boots',
  'boots',
  'hangs',
  'falls-back',
  'never-leaves',
  'same-boot',
  'other-entry',
  'generated-default',
  'flaps',
  'foreign-key',
  'dies',
  'boots-late',
];
/** From the approval to the boot. */
const TURN = ['isolation.read-plan', 'reboot.arm', 'reboot.request'];
/** From the approval to the proof. */
const REBOOT_TURN = [
  'reboot.read-plan',
  'reboot.arm',
  'reboot.request',
  'reboot.await-return',
  'isolation.verify-devices',
  'commit.check-default',
];
/** Everything that a reboot of a provisioned host can come to. */
export const REBOOT_ACTS: readonly string[] = [
  'reboot.read-plan',
  'preparation.claim-host',
  'workloads.cordon',
  'isolation.publish-known-good-default',
  'isolation.write-dead-man',
  'isolation.publish-trial-entry',
  ...REBOOTING,
  'isolation.verify-devices',
  'commit.confirm-boot',
  'commit.check-default',
  'commit.make-default',
  'commit.close-reboot',
  'workloads.uncordon',
  'restore.take-over',
  'restore.disarm',
  'host.release',
];
const OF_THE_KERNEL = [
  'upgrade.read-plan',
  'upgrade.install',
  'upgrade.inspect',
  'upgrade.check-kernel',
  'upgrade.remove',
];
/** From the approval to the proof of a newer kernel. */
const UPGRADE_TURN = [...OF_THE_KERNEL, ...REBOOT_TURN.slice(1)];
/** Everything that an upgrade of the kernel can come to, its way back included. */
export const UPGRADE_ACTS: readonly string[] = [
  'upgrade.look',
  'upgrade.update-lists',
  ...OF_THE_KERNEL,
  'commit.close-upgrade',
  ...REBOOT_ACTS.filter((name) => name !== 'reboot.read-plan'),
];
/** Their commands go on as units when nobody waits for them. */
const UNITS = ALL_STEPS.filter(({ policy }) => policy === 'long-change').map(({ name }) => name);
const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
const AWAY_SECONDS = [10, 45, 300, 2_400];
const ANSWER_SECONDS = [5, 60, 3_600, 20_000, 90_000];

export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  if (random.chance(0.1)) return blindSchedule(random);
  if (random.chance(0.1)) return { ...CALM, phases: 'isolation', faults: [faultOf(random, TURN), faultOf(random)] };
  return {
    ...CALM,
    phases: random.chance(0.6) ? 'isolation' : 'all',
    acceptance: random.of(['nested', 'all']),
    found: random.chance(0.6)
      ? 'fresh'
      : random.of(['in-use', 'in-use', 'in-use', 'isolated', 'abandoned', 'held', 'unfit']),
    ...courseOf(random, () => faultOf(random)),
    disks: random.below(2),
  };
}

/** Of reboots of provisioned hosts, another space of seeds. */
export function rebootScheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  if (random.chance(0.1)) return givenUpReboot(random);
  const found = random.chance(0.9) ? 'isolated' : random.of(['fresh', 'held'] as const);
  const course = courseOf(random, () => faultOf(random, random.of([REBOOT_ACTS, REBOOT_TURN])));
  return { ...CALM, purpose: 'reboot', phases: 'isolation', found, ...course };
}

/** Of newer kernels on provisioned hosts, a third space of seeds. */
export function upgradeScheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  const found = random.chance(0.9) ? 'isolated' : random.of(['fresh', 'held'] as const);
  const course = courseOf(random, () => possible(faultOf(random, random.of([UPGRADE_ACTS, UPGRADE_TURN]))));
  return { ...CALM, purpose: 'upgrade-kernel', phases: 'isolation', found, ...course };
}

/**
 * REBOOT_IF fails only where systemd has no order of a reboot, so that one that failed is not counted. An answer that is lost is another
 * fault. A way back of two reboots after one that failed so would be three (seed 1135).
 */
const possible = (fault: Fault): Fault =>
  fault.at === 'reboot.request' && fault.kind === 'fails-for-good' ? { ...fault, point: 'before' } : fault;

/** Something fails for good on the way to the proof, and nobody tries again. */
function givenUpReboot(random: Random): Schedule {
  const fault = { ...faultOf(random, REBOOT_TURN), kind: 'fails-for-good', point: 'before' } as const;
  return { ...CALM, purpose: 'reboot', phases: 'isolation', found: 'isolated', faults: [fault] };
}

/** What happens in a run, and what people answer. */
function courseOf(
  random: Random,
  fault: () => Fault,
): Pick<Schedule, 'faults' | 'behaviours' | 'cyclesThatStop' | 'gates' | 'parked' | 'needsHands'> {
  const many = <T>(most: number, draw: () => T): T[] => Array.from({ length: random.below(most + 1) }, draw);
  return {
    faults: many(4, fault),
    behaviours: random.chance(0.5) ? many(3, () => random.of(BEHAVIOURS)) : [],
    cyclesThatStop: random.chance(0.1) ? 1 : 0,
    gates: random.chance(0.5)
      ? many(3, () => ({
          how: random.of([
            'approve',
            'approve-twice',
            'approve-what-drifted',
            'wrong-digest',
            'reject',
            'never',
            'cancel',
          ]),
          afterSeconds: random.of(ANSWER_SECONDS),
          by: random.of(['signal', 'update']),
        }))
      : [],
    parked: many(3, () => random.of(['resume', 'resume', 'reject', 'cancel'])),
    needsHands: many(2, () => random.of(['put-right', 'as-it-is'])),
  };
}

/** Whoever looks after the host is away while it boots late: it must not be pushed by what was seen before. */
function blindSchedule(random: Random): Schedule {
  const call = 1 + random.below(3);
  const kind = random.of(['worker-killed', 'server-restarted'] as const);
  const fault = { kind, at: 'reboot.await-return', call, attempt: 1, point: 'before', awaySeconds: 2_400 } as const;
  return { ...CALM, phases: 'isolation', behaviours: ['boots-late'], faults: [fault, faultOf(random)] };
}

function faultOf(
  random: Random,
  acts: readonly string[] = random.of([STEP_NAMES, CRITICAL, CRITICAL, UNITS, UNDO_NAMES]),
): Fault {
  const kind = random.of(FAULT_NAMES);
  return {
    kind,
    at: random.of(acts),
    call: random.chance(0.8) ? 1 : 2,
    attempt: random.chance(0.8) ? 1 : 2,
    point: random.of(FAULTS[kind].points),
    awaySeconds: random.of(AWAY_SECONDS),
  };
}

/** Everything that can be left out of a schedule or made calm, one thing at a time. */
export function simpler(schedule: Schedule): readonly Schedule[] {
  const lists = ['faults', 'behaviours', 'gates', 'parked', 'needsHands'] as const;
  const shorter = lists.flatMap((list) =>
    schedule[list].map((_, at): Schedule => ({ ...schedule, [list]: schedule[list].filter((__, i) => i !== at) })),
  );
  const calmer = (Object.keys(CALM) as (keyof Schedule)[])
    .filter((key) => key !== 'purpose' && !Array.isArray(CALM[key]) && schedule[key] !== CALM[key])
    .map((key): Schedule => ({ ...schedule, [key]: CALM[key] }));
  return [...shorter, ...calmer];
}
