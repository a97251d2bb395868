/**
 * A modelled server for workflow tests: what matters of a host for the workflow, and nothing of SSH. Its activities have the real
 * names and shapes, so a workflow that calls something else does not run here. Faults address an activity and an attempt, never a
 * time. Here an activity acts at once; in the simulation (test/simulation/host.ts) it takes time.
 * @module
 */
import { activityInfo } from '@temporalio/activity';
import type { StepInput } from '../../src/activities/define-step.js';
import type { AllActivities } from '../../src/activities/index.js';
import type { RebootInput } from '../../src/activities/reboot.js';
import type { TakenOver } from '../../src/activities/restore.js';
import type { RebootPlan } from '../../src/domain/boot/plan.js';
import { KNOWN_GOOD_TOKEN, classifyBoot, type BootOutcome } from '../../src/domain/boot/reboot.js';
import type { Announcement, AuditEntry } from '../../src/domain/run/announcement.js';
import type { DecommissionPlan } from '../../src/domain/decommission.js';
import type { DiskPlan } from '../../src/domain/cluster/disks.js';
import type { FailureType } from '../../src/domain/run/failures.js';
import { stepsOf, type RunRef } from '../../src/domain/run/steps.js';
import { GPU_ADDRESSES } from '../support/server-spec.js';
import { failure, isUndoneByIsolation, modelledActivities } from './modelled-activities.js';

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
  /** Comes up when the whole ladder but its last rung is over; at once where nothing takes time. */
  | 'boots-late'
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

/** Guards of real activities, which tests take away to see that it is noticed. Each names what it stands for. */
export interface Guards {
  /** REBOOT_IF in host/boot-scripts.ts. */
  bootId: boolean;
  /** RemoteHost.drainUnits, called by restore.take-over and host.release. */
  drain: boolean;
  /** restoreOriginal and the isOwn of phases: the ledger says what this run made. */
  ledger: boolean;
  /** lookAtHost in bmcAction: fresh probes before the BMC acts. */
  freshProbes: boolean;
}

type Entry = 'default' | 'known-good' | 'trial' | 'other' | 'generated';

export class World {
  bootId = bootIdOf(1);
  online = true;
  keyMatches = true;
  entry: Entry = 'default';
  /** The trial's token is on the command line: it was entered by one-shot. */
  token = false;
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
  /** The image of the ordinary default is one that has not booted yet. */
  imagesRebuilt = false;
  /** Steps whose effect was on the host before the run: the ledger says that it is not the run's. */
  readonly foreign = new Set<string>();
  readonly guards: Guards = { bootId: true, drain: true, ledger: true, freshProbes: true };
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
  /** VMs that run on the host. */
  vms: string[] = [];
  /** The kernel that runs and is proven, and, where the archive has one, the next. */
  kernels: string[] = ['6.8.0-60-generic', '6.8.0-62-generic'];
  /** The next is installed, and so what update-grub made the default. */
  installing = false;
  /** The running boot is of that kernel. */
  runsNewKernel = false;
  /** Anything that makes another digest. */
  generation = 0;
  /** Serials of the disks that storage would take; none: the pool is there. */
  disks: string[] = [];
  /** Digests with which a step was told that it may destroy something. */
  readonly approvals: (string | undefined)[] = [];
  /** What the receivers of notify have got. */
  readonly announcements: Announcement[] = [];
  readonly auditLines: AuditEntry[] = [];
  /** Runs inside an activity, for things that happen meanwhile. */
  readonly on = new Map<string, () => void | Promise<void>>();
  /** How many of the next power cycles end between off and on. */
  cyclesThatStop = 0;
  power: 'on' | 'off' = 'on';
  /** Its last line, when a boot is over. */
  consoleSays: string | null = 'h100-01 login:';
  protected boots = 1;
  protected wasSilent = false;
  protected dead = false;
  private flapping = false;
  readonly modelled = modelledActivities(this);
  private readonly counts = new Map<string, number>();

  activities(): AllActivities {
    const activities = Object.keys(this.modelled).map((name) => [
      name,
      async (input: StepInput) => {
        this.calls.push(name);
        const count = (this.counts.get(name) ?? 0) + 1;
        this.counts.set(name, count);
        await this.on.get(name)?.();
        this.admit(name, input);
        const fault = this.faults.find((f) => f.at === name && count > (f.after ?? 0));
        if (fault !== undefined && activityInfo().attempt <= (fault.attempts ?? Number.POSITIVE_INFINITY)) {
          if (fault.withEffect === true) this.apply(name, input);
          throw failure(fault.type, `injected into ${name}`);
        }
        return this.apply(name, input);
      },
    ]);
    return Object.fromEntries(activities) as AllActivities;
  }

  /** Whether the host lets an activity begin. Throws ApplicationFailure. */
  admit(name: string, input: StepInput): void {
    const { kind } = this.activity(name);
    if (kind === 'probe') return;
    if (!this.online) throw failure('HostUnreachable', 'no answer');
    if (!this.keyMatches) throw failure('HostKeyChanged', FOREIGN_KEY);
    if ((kind === 'change' || kind === 'unit') && name !== 'preparation.claim-host') this.checkFence(input.run, name);
  }

  /** What an activity does and answers, at once. */
  apply(name: string, input: StepInput): unknown {
    return this.activity(name).body(input as Parameters<ReturnType<World['activity']>['body']>[0]);
  }

  activity(name: string): World['modelled'][string] {
    const activity = this.modelled[name];
    if (activity === undefined) throw new RangeError(`no activity named ${name}`);
    return activity;
  }

  /** Of the workflow's clock. */
  time(): string {
    return new Date().toISOString();
  }

  /** CLAIM in host/scripts.ts. */
  claim(run: RunRef): void {
    if (this.fence !== null && this.fence.id !== run.id)
      throw failure('HostLocked', `the host is held by run ${this.fence.id}`);
    if (this.fence !== null && this.fence.epoch > run.epoch) throw failure('HostLocked', `epoch ${run.epoch} is over`);
    this.fence = { ...run };
  }

  takeOver(run: RunRef): TakenOver {
    if (!this.online) throw failure('HostUnreachable', 'no answer');
    if (!this.keyMatches) throw failure('HostKeyChanged', FOREIGN_KEY);
    this.claim(run);
    return { committed: this.committed };
  }

  /** RELEASE in host/scripts.ts. */
  release(run: RunRef): void {
    if (this.fence?.id === run.id) this.fence = null;
  }

  /** Whether the host still answers with this boot, without having been silent. */
  runs(bootId: string): boolean {
    return this.online && this.bootId === bootId && !this.wasSilent;
  }

  /** To the probes that a BMC action begins with. */
  answers(): boolean {
    return this.online;
  }

  isolationSteps(): readonly string[] {
    return [...this.staged].filter(isUndoneByIsolation);
  }

  /** A host that a run has isolated and committed. */
  provisioned(): this {
    for (const { name } of [...stepsOf('kubevirt'), ...stepsOf('gpu-isolation')]) this.staged.add(name);
    this.entry = 'trial';
    this.committed = true;
    this.defaultMade = true;
    this.imagesRebuilt = true;
    return this;
  }

  /** With nothing installed it does nothing. */
  removeKernel(): string {
    if (this.runsNewKernel && this.installing)
      throw failure('RestoreNotVerified', 'the kernel that runs cannot be removed');
    this.installing = false;
    return 'removed; as committed';
  }

  decommissionPlan(): DecommissionPlan {
    return {
      bootId: this.bootId,
      committedBy: 'run-0',
      strategy: 'known-good',
      paths: [],
      changedSince: [],
      laterImages: [],
      devices: GPU_ADDRESSES.map((address) => ({ address, driver: 'vfio-pci', wanted: 'nvidia' })),
      ordinaryEntry: 'Ubuntu',
      foreignPods: [],
      digest: this.digest(),
      alarmSeconds: 2_100,
      bmc: { kind: 'ipmi', tested: true },
      stays: ['packages of phase 2'],
      allows: { reboots: 2, powerCycles: 2 },
    };
  }

  private digest(): string {
    return `${String(this.boots).padStart(4, '0')}-${String(this.generation).padStart(4, '0')}`;
  }

  /** Somebody else's power cut and return: the default entry decides. */
  powerCut(): void {
    this.newBoot();
    this.entry = this.defaultEntry();
    this.runsNewKernel = this.installing && this.entry === 'trial';
    this.armed = false;
    this.token = false;
  }

  /** A host that nothing helped gets a new part, and is left off. */
  repairedAndOff(): void {
    this.dead = false;
    this.power = 'off';
  }

  private checkFence(run: RunRef, name: string): void {
    if (this.fence === null || this.fence.id !== run.id || this.fence.epoch !== run.epoch) {
      if (name === 'host.release') return;
      throw failure('Fenced', `${name} by epoch ${run.epoch}, the host is at ${JSON.stringify(this.fence)}`);
    }
  }

  /** What a boot enters that nothing was armed for. */
  defaultEntry(): Entry {
    if (this.defaultMade) return 'trial';
    const knownGood = ['preparation', 'isolation'].some((phase) =>
      this.staged.has(`${phase}.publish-known-good-default`),
    );
    return knownGood ? 'known-good' : 'default';
  }

  /** Told to reboot, the machine does what is next in its behaviours. */
  restart(): void {
    this.reboots += 1;
    this.boot(this.behaviours.shift() ?? 'boots');
  }

  protected boot(behaviour: BootBehaviour): void {
    if (behaviour === 'never-leaves') return;
    this.flapping = behaviour === 'flaps';
    if (behaviour === 'same-boot') {
      this.wasSilent = true;
      return;
    }
    this.newBoot();
    const armed = this.armed;
    this.armed = false;
    this.token = false;
    if (behaviour === 'hangs' || behaviour === 'dies') {
      this.online = false;
      this.dead = behaviour === 'dies';
      return;
    }
    if (behaviour === 'foreign-key') this.keyMatches = false;
    if (behaviour === 'falls-back') this.entry = 'known-good';
    else if (behaviour === 'other-entry') this.entry = 'other';
    // With the images put back it is the host's own default again.
    else if (behaviour === 'generated-default') this.entry = this.imagesRebuilt ? 'generated' : 'default';
    else if (armed && this.staged.has('isolation.publish-known-good-default')) {
      this.entry = this.ordinaryOnce ? 'default' : 'trial';
      this.token = !this.ordinaryOnce;
    } else this.entry = this.defaultEntry();
    this.runsNewKernel = this.installing && (this.entry === 'trial' || this.entry === 'generated');
  }

  private newBoot(): void {
    this.boots += 1;
    this.bootId = bootIdOf(this.boots);
    // It is below /run.
    this.confirmed = false;
  }

  /** A host that does not answer ignores it. */
  gracefulRestart(): void {}

  powerCycle(): void {
    this.powerCycles += 1;
    this.power = 'off';
    this.cyclesThatStop -= 1;
    if (this.cyclesThatStop >= 0) throw failure('BmcUnavailable', 'no answer after off');
    this.powerOn();
  }

  powerOn(): void {
    this.power = 'on';
    if (this.dead) return;
    this.online = true;
    this.powerCut();
  }

  /** As reboot.look sees it. */
  look(input: RebootInput): BootOutcome {
    const seenAt = this.time();
    if (!this.keyMatches) {
      return {
        kind: 'host-key-changed',
        bootId: null,
        commandLine: null,
        seenAt,
        evidence: FOREIGN_KEY,
      };
    }
    if (!this.online)
      return { kind: 'left-not-back', bootId: null, commandLine: null, seenAt: null, evidence: 'no answer' };
    const commandLine = {
      default: 'BOOT_IMAGE=/vmlinuz ro',
      'known-good': `BOOT_IMAGE=/vmlinuz ro ${KNOWN_GOOD_TOKEN}`,
      trial: `BOOT_IMAGE=/vmlinuz ro iommu=pt${this.token ? ` gpu-provision.trial=${input.run.id}` : ''}`,
      generated: 'BOOT_IMAGE=/vmlinuz ro iommu=pt',
      other: 'BOOT_IMAGE=/vmlinuz ro single gpu-provision.trial=somebody-else',
    }[this.entry];
    const reading = { bootId: this.bootId, commandLine, uptimeSeconds: 5 };
    const kind = this.flapping ? 'flapping' : classifyBoot(reading, input, this.wasSilent);
    this.flapping = false;
    return { kind, bootId: this.bootId, commandLine, seenAt, evidence: `boot ${this.bootId}` };
  }

  diskPlan(): DiskPlan {
    const disks = this.disks.map((serial) => ({ id: `/dev/disk/by-id/${serial}`, serial, model: 'M', bytes: 1e12 }));
    return { pool: 'data', backend: 'zfs', node: 'h100-01', disks, digest: this.disks.join('+') };
  }

  plan(input: StepInput): RebootPlan {
    const digest = this.digest();
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

/** A changed host key is told with both fingerprints. */
export const FOREIGN_KEY = 'SHA256:new, pinned SHA256:old';

export function bootIdOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}
