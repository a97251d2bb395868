/**
 * A modelled server for workflow tests: what matters of a host for the workflow, and nothing of SSH. Its activities have the real
 * names and shapes, so a workflow that calls something else does not run here. Faults address an activity and an attempt, never a
 * time.
 * @module
 */
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { AllActivities } from '../../src/activities/index.js';
import type { StepInput } from '../../src/activities/define-step.js';
import type { RebootInput } from '../../src/activities/reboot.js';
import type { RestoredInput } from '../../src/activities/restore.js';
import type { RebootPlan } from '../../src/domain/boot/plan.js';
import { KNOWN_GOOD_TOKEN, classifyBoot, type BootOutcome } from '../../src/domain/boot/reboot.js';
import type { AnnounceInput, Announcement } from '../../src/domain/run/announcement.js';
import type { DiskPlan } from '../../src/domain/cluster/disks.js';
import { FAILURES, type FailureType } from '../../src/domain/run/failures.js';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import { stepsOf, type StepResult } from '../../src/domain/run/steps.js';
import { GPU_ADDRESSES } from '../support/server-spec.js';

/** What the machine does when it is told to boot. */
export type BootBehaviour =
  | 'boots'
  /** The image hangs: only a power cycle ends it. */
  | 'hangs'
  /** Boots, fails, and comes back by itself in known-good. */
  | 'falls-back'
  /** The command is accepted and nothing happens. */
  | 'never-leaves'
  /** Goes silent and answers with the old boot. */
  | 'same-boot'
  | 'other-entry'
  /** Boots the entry that update-grub made the default, past custom.cfg: a person chose it at the console. */
  | 'generated-default'
  | 'flaps'
  /** Boots with another host key. */
  | 'foreign-key'
  /** Not even a power cycle helps. */
  | 'dies';

export interface Fault {
  readonly at: string;
  readonly type: FailureType;
  /** Attempts of the activity that fail, first is 1; default all. */
  readonly attempts?: number;
  /** Calls of the activity that are spared before it fails, default 0. */
  readonly after?: number;
  /** Whether the effect happens before the failure. */
  readonly withEffect?: boolean;
}

type Entry = 'default' | 'known-good' | 'trial' | 'other' | 'generated';

export class World {
  bootId = bootIdOf(1);
  online = true;
  keyMatches = true;
  entry: Entry = 'default';
  armed = false;
  /** What is armed is the host's own default, not the trial. */
  ordinaryOnce = false;
  committed = false;
  /** The proven entry is the default. */
  defaultMade = false;
  confirmed = false;
  cordoned = false;
  abandonedRun: string | null = null;
  /** A k3s that this run did not install runs on the host. */
  k3sWasThere = false;
  fence: { id: string; epoch: number } | null = null;
  /** What the next boots do; after the last one: `boots`. */
  behaviours: BootBehaviour[] = [];
  faults: Fault[] = [];
  /** Steps whose effect is on the host. */
  readonly staged = new Set<string>();
  /** Every call that began, in order. */
  readonly calls: string[] = [];
  reboots = 0;
  powerCycles = 0;
  /** Anything that makes another digest. */
  generation = 0;
  /** Serials of the disks that storage would take; none: the pool is there. */
  disks: string[] = [];
  /** Digests with which a step was told that it may destroy something. */
  readonly approvals: (string | undefined)[] = [];
  /** What the receivers of notify have got. */
  readonly announcements: Announcement[] = [];
  /** Runs inside an activity, for things that happen meanwhile. */
  readonly on = new Map<string, () => void | Promise<void>>();
  /** How many of the next power cycles end between off and on. */
  cyclesThatStop = 0;
  power: 'on' | 'off' = 'on';
  private boots = 1;
  private wasSilent = false;
  private dead = false;
  private flapping = false;
  private readonly counts = new Map<string, number>();

  activities(): AllActivities {
    const steps: Record<string, (input: StepInput) => Promise<StepResult>> = {};
    for (const phase of PHASE_NAMES) {
      for (const step of stepsOf(phase)) {
        steps[step.name] = (input) =>
          this.act(step.name, input, step.policy === 'read' ? 'read' : 'change', () => this.take(step.name, input));
        steps[`${step.name}.verify`] = (input) =>
          this.act(`${step.name}.verify`, input, 'read', () => {
            if (!this.staged.has(step.name)) throw failure('StepNotVerified', `${step.name} is not in place`);
            return { changed: false, summary: 'in place' };
          });
        steps[`${step.name}.undo`] = (input) =>
          this.act(`${step.name}.undo`, input, 'change', () => {
            this.staged.delete(step.name);
            if (step.name === 'isolation.publish-known-good-default') this.ordinaryOnce = false;
            return { changed: true, summary: 'undone' };
          });
      }
    }
    const own = {
      'reboot.arm': (input: StepInput) => this.act('reboot.arm', input, 'change', () => void (this.armed = true)),
      'reboot.disarm': (input: StepInput) =>
        this.act('reboot.disarm', input, 'change', () => void (this.armed = false)),
      'reboot.request': (input: RebootInput) =>
        this.act('reboot.request', input, 'change', () => {
          if (input.oldBootId !== this.bootId) return { asked: false };
          this.reboots += 1;
          this.boot();
          return { asked: true };
        }),
      'reboot.await-left': (input: RebootInput) =>
        this.act('reboot.await-left', input, 'probe', () => {
          if (this.online && this.bootId === input.oldBootId && !this.wasSilent) throw notYet();
          return { leftAt: new Date().toISOString() };
        }),
      'reboot.await-return': (input: RebootInput) =>
        this.act('reboot.await-return', input, 'probe', () => {
          const seen = this.look(input);
          if (seen.kind === 'host-key-changed' || (seen.bootId !== null && seen.bootId !== input.oldBootId))
            return seen;
          throw notYet();
        }),
      'reboot.look': (input: RebootInput) => this.act('reboot.look', input, 'probe', () => this.look(input)),
      'bmc.look': (input: StepInput) =>
        this.act('bmc.look', input, 'probe', () => ({ kind: 'ipmi' as const, power: this.power, eventLog: [] })),
      'bmc.graceful-restart': (input: RebootInput) =>
        this.act('bmc.graceful-restart', input, 'probe', () =>
          this.online ? { done: false, evidence: 'answers' } : { done: true, evidence: 'accepted' },
        ),
      'bmc.power-cycle': (input: RebootInput) =>
        this.act('bmc.power-cycle', input, 'probe', () => {
          if (this.online) return { done: false, evidence: 'answers' };
          this.powerCycles += 1;
          this.power = 'off';
          this.cyclesThatStop -= 1;
          if (this.cyclesThatStop >= 0) throw failure('BmcUnavailable', 'no answer after off');
          this.powerOn();
          return { done: true, evidence: 'power was on, is on' };
        }),
      'bmc.power-on': (input: StepInput) =>
        this.act('bmc.power-on', input, 'probe', () => {
          if (this.power === 'off') this.powerOn();
          return this.power;
        }),
      'isolation.read-state': (input: StepInput) =>
        this.act('isolation.read-state', input, 'read', () => ({
          isolated: this.committed,
          why: this.committed ? 'all devices hold' : 'not committed by any run',
          bootId: this.bootId,
          abandoned: this.abandonedRun,
          inAbandonedTrial: this.abandonedRun !== null && this.entry === 'trial',
          k3sRuns: this.k3sWasThere || this.staged.has('k3s.start'),
        })),
      'storage.read-plan': (input: StepInput) => this.act('storage.read-plan', input, 'read', () => this.diskPlan()),
      'isolation.read-plan': (input: StepInput) =>
        this.act('isolation.read-plan', input, 'read', () => this.plan(input)),
      'isolation.verify-devices': (input: StepInput) =>
        this.act('isolation.verify-devices', input, 'read', () => {
          if (this.entry !== 'trial') throw failure('IsolationNotVerified', 'the GPUs are on nvidia');
          return { rows: GPU_ADDRESSES.map((address) => ({ address, cells: [], ok: true })), ok: true, problems: [] };
        }),
      'workloads.cordon': (input: StepInput) =>
        this.act('workloads.cordon', input, 'change', () => {
          this.cordoned = true;
          return new Date().toISOString();
        }),
      'workloads.uncordon': (input: StepInput) =>
        this.act('workloads.uncordon', input, 'change', () => void (this.cordoned = false)),
      'restore.take-over': (input: StepInput) =>
        this.act('restore.take-over', input, 'probe', () => {
          if (!this.online) throw failure('HostUnreachable', 'no answer');
          this.fence = { ...input.run };
        }),
      'restore.publish-ordinary-once': (input: StepInput) =>
        this.act('restore.publish-ordinary-once', input, 'change', () => {
          this.ordinaryOnce = true;
          return 'published';
        }),
      'restore.disarm': (input: StepInput) =>
        this.act('restore.disarm', input, 'change', () => {
          const tried = !this.armed;
          this.armed = false;
          return { tried, reason: tried ? 'it did not come up' : 'it was not tried' };
        }),
      'restore.verify': (input: RestoredInput) =>
        this.act('restore.verify', input, 'read', () => {
          const stays = input.customCfgStays === true ? ['publish-known-good-default', 'hold-kernel'] : [];
          const left = [...this.staged].filter(
            (name) => undoable.has(name) && !stays.some((step) => name === `isolation.${step}`),
          );
          if (left.length > 0) throw failure('RestoreNotVerified', `still there: ${left.join(', ')}`);
          if (this.entry === 'trial' || this.entry === 'generated' || (input.rebooted && this.entry !== 'default')) {
            throw failure('RestoreNotVerified', `the host runs ${this.entry}`);
          }
          return { files: 7, images: 2, drivers: {}, lines: [{ area: 'now', text: 'as before' }] };
        }),
      'restore.close-ledger': (input: StepInput) =>
        this.act('restore.close-ledger', input, 'change', () => void (this.abandonedRun = null)),
      'host.release': (input: StepInput) => this.act('host.release', input, 'change', () => void (this.fence = null)),
      'commit.confirm-boot': (input: StepInput) =>
        this.act('commit.confirm-boot', input, 'change', () => {
          this.confirmed = true;
          return 'confirmed';
        }),
      'commit.check-default': (input: StepInput) => this.act('commit.check-default', input, 'read', () => 'as proven'),
      'commit.make-default': (input: StepInput & { bootId: string }) =>
        this.act('commit.make-default', input, 'change', () => {
          if (input.bootId !== this.bootId && !this.defaultMade) throw failure('Drifted', `boot ${this.bootId} runs`);
          this.defaultMade = true;
          return 'made';
        }),
      'commit.close': (input: StepInput) =>
        this.act('commit.close', input, 'change', () => {
          this.committed = true;
          return 'committed';
        }),
      // Of no host: nothing of it is read from what steps are told.
      announce: (input: AnnounceInput & StepInput) =>
        this.act('announce', input, 'probe', () => {
          this.announcements.push(input.announcement);
          return { refused: [] };
        }),
    };
    return { ...steps, ...own } as unknown as AllActivities;
  }

  /** Somebody else's power cut and return: the default entry decides. */
  powerCut(): void {
    this.boots += 1;
    this.bootId = bootIdOf(this.boots);
    this.entry = this.defaultEntry();
    this.armed = false;
  }

  /** A host that nothing helped gets a new part, and is left off. */
  repairedAndOff(): void {
    this.dead = false;
    this.power = 'off';
  }

  private async act<T>(name: string, input: StepInput, kind: 'read' | 'change' | 'probe', body: () => T): Promise<T> {
    this.calls.push(name);
    const count = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, count);
    await this.on.get(name)?.();
    if (kind !== 'probe' && !this.online) throw failure('HostUnreachable', 'no answer');
    if (kind !== 'probe' && !this.keyMatches) throw failure('HostKeyChanged', 'another key');
    if (kind === 'change' && !name.startsWith('preparation.claim')) this.checkFence(input, name);
    const fault = this.faults.find((f) => f.at === name && count > (f.after ?? 0));
    if (fault !== undefined && activityInfo().attempt <= (fault.attempts ?? Number.POSITIVE_INFINITY)) {
      if (fault.withEffect === true) body();
      throw failure(fault.type, `injected into ${name}`);
    }
    return body();
  }

  private checkFence(input: StepInput, name: string): void {
    if (this.fence === null || this.fence.id !== input.run.id || this.fence.epoch !== input.run.epoch) {
      if (name === 'host.release') return;
      throw failure('Fenced', `${name} by epoch ${input.run.epoch}, the host is at ${JSON.stringify(this.fence)}`);
    }
  }

  private take(name: string, input: StepInput): StepResult {
    if (name === 'preflight.check') return { changed: false, summary: '38 checks, 2 warnings', facts: FACTS };
    if (name === 'preparation.claim-host') this.fence = { ...input.run };
    if (name === 'cozystack.create-pool') this.approvals.push(input.approved);
    const changed = !this.staged.has(name);
    this.staged.add(name);
    return { changed, summary: name };
  }

  private defaultEntry(): Entry {
    if (this.defaultMade || this.committed) return 'trial';
    return this.staged.has('isolation.publish-known-good-default') ? 'known-good' : 'default';
  }

  private boot(): void {
    const behaviour = this.behaviours.shift() ?? 'boots';
    if (behaviour === 'never-leaves') return;
    if (behaviour === 'same-boot') {
      this.wasSilent = true;
      return;
    }
    this.boots += 1;
    this.bootId = bootIdOf(this.boots);
    const armed = this.armed;
    this.armed = false;
    if (behaviour === 'hangs' || behaviour === 'dies') {
      this.online = false;
      this.dead = behaviour === 'dies';
      return;
    }
    if (behaviour === 'foreign-key') this.keyMatches = false;
    if (behaviour === 'falls-back') this.entry = 'known-good';
    else if (behaviour === 'other-entry') this.entry = 'other';
    else if (behaviour === 'generated-default') this.entry = 'generated';
    else if (armed) this.entry = this.ordinaryOnce ? 'default' : 'trial';
    else this.entry = this.defaultEntry();
    this.flapping = behaviour === 'flaps';
  }

  private powerOn(): void {
    this.power = 'on';
    if (this.dead) return;
    this.online = true;
    this.powerCut();
  }

  private look(input: RebootInput): BootOutcome {
    const seenAt = new Date().toISOString();
    if (!this.keyMatches) {
      return {
        kind: 'host-key-changed',
        bootId: null,
        commandLine: null,
        seenAt,
        evidence: 'SHA256:new, pinned SHA256:old',
      };
    }
    if (!this.online)
      return { kind: 'left-not-back', bootId: null, commandLine: null, seenAt: null, evidence: 'no answer' };
    const commandLine = {
      default: 'BOOT_IMAGE=/vmlinuz ro',
      'known-good': `BOOT_IMAGE=/vmlinuz ro ${KNOWN_GOOD_TOKEN}`,
      trial: this.committed
        ? 'BOOT_IMAGE=/vmlinuz ro iommu=pt'
        : `BOOT_IMAGE=/vmlinuz ro gpu-provision.trial=${input.run.id}`,
      generated: 'BOOT_IMAGE=/vmlinuz ro iommu=pt',
      other: 'BOOT_IMAGE=/vmlinuz ro single gpu-provision.trial=somebody-else',
    }[this.entry];
    const reading = { bootId: this.bootId, commandLine, uptimeSeconds: 5 };
    const kind = this.flapping ? 'flapping' : classifyBoot(reading, input, this.wasSilent);
    this.flapping = false;
    return { kind, bootId: this.bootId, commandLine, seenAt, evidence: `boot ${this.bootId}` };
  }

  private diskPlan(): DiskPlan {
    const disks = this.disks.map((serial) => ({ id: `/dev/disk/by-id/${serial}`, serial, model: 'M', bytes: 1e12 }));
    return { pool: 'data', backend: 'zfs', node: 'h100-01', disks, digest: this.disks.join('+') };
  }

  private plan(input: StepInput): RebootPlan {
    const digest = `${String(this.boots).padStart(4, '0')}-${String(this.generation).padStart(4, '0')}`;
    return {
      bootId: this.bootId,
      kernel: '6.8.0-60-generic',
      strategy: input.spec.boot.strategy,
      files: [],
      images: [],
      commandLine: { now: 'ro', next: 'ro iommu=pt' },
      defaultEntry: 'gpu-provision-known-good',
      devices: GPU_ADDRESSES.map((address, i) => ({ address, id: '10de:2330', driver: 'nvidia', iommuGroup: i })),
      workloads: { vms: [], gpuProcesses: [], foreignPods: [] },
      digest,
      sha256: digest.padEnd(64, '0'),
      imagesRebuilt: 2,
      diff: '',
      earlierBootSeconds: [840],
      alarmSeconds: input.spec.boot.ladder.waitSeconds,
      deadManSeconds: input.spec.boot.deadManSeconds,
      bmc: { kind: 'ipmi', tested: true, console: false },
      cordonedAt: null,
      stays: [],
      warnings: [],
      allows: { reboots: 2, powerCycles: 2 },
    };
  }
}

const undoable = new Set(
  stepsOf('gpu-isolation')
    .filter((s) => s.undo)
    .map((s) => s.name),
);

const FACTS = {
  checks: [],
  baseline: {
    linkWidths: {},
    failedUnits: [],
    nativeDrivers: Object.fromEntries(GPU_ADDRESSES.map((a) => [a, 'nvidia'])),
  },
  earlierBootSeconds: [840, 900],
};

export function bootIdOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

function failure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: !FAILURES[type].retryable });
}

/** As the real probes do: one attempt stands for half a minute, which the server skips. */
function notYet(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'NotBackYet',
    message: 'no answer yet',
    nextRetryDelay: '30s',
    category: ApplicationFailureCategory.BENIGN,
  });
}
