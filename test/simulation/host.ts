/**
 * The modelled server in virtual time: commands and units run on it whether or not somebody waits for them, and reboots take minutes.
 * @module
 */
import type { StepInput } from '../../src/activities/define-step.js';
import { World } from '../workflow/world.js';
import type { VirtualClock } from './clock.js';

const SECOND_MS = 1_000;
const GOING_DOWN_MS = 2 * SECOND_MS;
const BOOT_MS = 240 * SECOND_MS;
/** The rungs before the power cycle take 3,900 s. */
const LATE_BOOT_MS = 4_000 * SECOND_MS;

/** Something of the run at work on the host, or through its API. */
export interface Work {
  readonly name: string;
  readonly input: StepInput;
  readonly beganMs: number;
  /** Another key answered when it began. What began before goes on where it began. */
  readonly withForeignKey: boolean;
  state: 'running' | 'ended' | 'lost';
  /** What it answered, or the error. */
  value: unknown;
  error: unknown;
}

/** Told of every effect, when it has happened. */
export type Observer = (work: Work, host: SimulatedHost) => void;

export class SimulatedHost extends World {
  /** Holds the lock of the host: RemoteHost.alone. */
  locked: Work | null = null;
  /** Transient units by their step: they outlive every link, and no reboot. */
  readonly units = new Map<string, Work>();
  /** Requests to the cluster that were not answered yet. */
  readonly requests = new Set<Work>();
  deadManFired = false;
  /** The boot that the last reboot ended. */
  endedBoot = '';
  /** The BMC was used against a host that answered. */
  healthyHostWasPushed = false;
  /** What the last probe of the host said. */
  private lastSeenOnline = true;
  private machineState = 0;
  private goingDown = false;

  constructor(
    private readonly clock: VirtualClock,
    private readonly deadManSeconds: number,
    private readonly observe: Observer,
  ) {
    super();
  }

  override time(): string {
    return new Date(this.clock.nowMs).toISOString();
  }

  /** Begins a command under the lock, which it keeps to its end. */
  command(work: Work, ms: number, effect: (() => unknown) | null): void {
    this.locked = work;
    this.clock.after(ms, () => {
      if (work.state !== 'running') return;
      this.locked = null;
      this.finish(work, effect);
    });
  }

  unit(work: Work, ms: number, effect: () => unknown): void {
    this.units.set(work.name, work);
    this.clock.after(ms, () => {
      if (work.state !== 'running') return;
      this.units.delete(work.name);
      this.finish(work, effect);
    });
  }

  finish(work: Work, effect: (() => unknown) | null): void {
    work.state = 'ended';
    if (effect === null) return;
    try {
      work.value = effect();
      this.observe(work, this);
    } catch (error) {
      work.error = error;
    }
  }

  /** Everything of the run that is at work. */
  work(): readonly Work[] {
    return [...(this.locked === null ? [] : [this.locked]), ...this.units.values(), ...this.requests];
  }

  override restart(): void {
    if (this.goingDown) return;
    this.reboots += 1;
    this.endedBoot = this.bootId;
    const behaviour = this.behaviours.shift() ?? 'boots';
    if (behaviour === 'never-leaves') return;
    this.goingDown = true;
    const state = this.machineState;
    this.clock.after(GOING_DOWN_MS, () => {
      if (state === this.machineState) {
        this.comesBack(() => this.boot(behaviour), behaviour === 'boots-late' ? LATE_BOOT_MS : BOOT_MS);
      }
    });
  }

  somebodyReboots(): void {
    if (this.dead || this.power === 'off') return;
    this.comesBack(() => this.boot('boots'));
  }

  /** An order to GRUB that was not durable is lost. */
  losesPower(): void {
    if (this.dead || this.power === 'off') return;
    this.comesBack(() => this.powerCut());
  }

  override gracefulRestart(): void {
    if (this.online) this.healthyHostWasPushed = true;
  }

  override powerCycle(): void {
    if (this.online) this.healthyHostWasPushed = true;
    this.goesDown();
    super.powerCycle();
  }

  override powerOn(): void {
    this.power = 'on';
    if (!this.dead) this.comesBack(() => this.powerCut());
  }

  override answers(): boolean {
    return this.guards.freshProbes ? this.online : this.lastSeenOnline;
  }

  override look(...args: Parameters<World['look']>): ReturnType<World['look']> {
    this.lastSeenOnline = this.online;
    return super.look(...args);
  }

  /** Something else is staged now, and another disk is in its bay. */
  drifts(): void {
    this.generation += 1;
    this.disks = this.disks.map((serial) => `${serial}-other`);
  }

  /** What a person does to a host that needs hands: the key, the power supply, and a boot from the console. */
  isPutRight(choose: 'ordinary' | 'known-good' | null): void {
    this.keyMatches = true;
    this.dead = false;
    this.behaviours = [];
    this.cyclesThatStop = 0;
    this.power = 'on';
    if (choose !== null) {
      this.comesBack(() => {
        this.powerCut();
        this.entry = choose === 'ordinary' ? 'default' : choose;
      });
    } else if (!this.online) this.powerOn();
  }

  private goesDown(): void {
    this.machineState += 1;
    this.goingDown = false;
    this.online = false;
    for (const work of [this.locked, ...this.units.values()]) if (work !== null) work.state = 'lost';
    this.locked = null;
    this.units.clear();
  }

  private comesBack(boot: () => void, afterMs = BOOT_MS): void {
    this.goesDown();
    const state = this.machineState;
    this.clock.after(afterMs, () => {
      if (state !== this.machineState) return;
      this.online = true;
      boot();
      this.startDeadMan();
    });
  }

  /** The service of trial boots: reboots by itself unless it is told in time that the boot is good. */
  private startDeadMan(): void {
    const { bootId } = this;
    if (!this.token || !this.staged.has('isolation.write-dead-man')) return;
    this.clock.after(this.deadManSeconds * SECOND_MS, () => {
      if (this.bootId !== bootId || !this.online || this.confirmed) return;
      this.deadManFired = true;
      this.comesBack(() => this.powerCut());
    });
  }
}
