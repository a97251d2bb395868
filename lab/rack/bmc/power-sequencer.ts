/**
 * Resets take time: the BMC accepts one, and the power follows a moment later.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BmcPower, ResetType } from './options.js';

export type ReportedPower = 'On' | 'Off' | 'PoweringOn' | 'PoweringOff';

interface Transition {
  /** What the BMC reports meanwhile. */
  readonly through: ReportedPower;
  readonly act: (power: BmcPower) => void | Promise<void>;
  /** From which power state it makes sense; a BMC answers with a conflict from the other one. */
  readonly from: 'on' | 'off';
}

const TRANSITIONS: Readonly<Record<ResetType, Transition>> = {
  On: { from: 'off', through: 'PoweringOn', act: (power) => power.on() },
  ForceOff: { from: 'on', through: 'PoweringOff', act: (power) => power.off() },
  PowerCycle: { from: 'on', through: 'PoweringOff', act: (power) => power.cycle() },
  ForceRestart: { from: 'on', through: 'On', act: (power) => power.cycle() },
  GracefulRestart: { from: 'on', through: 'On', act: (power) => power.gracefulRestart() },
};

export class PowerSequencer {
  private running: { readonly through: ReportedPower; readonly done: Promise<void> } | null = null;
  readonly resets: ResetType[] = [];

  constructor(
    private readonly power: BmcPower,
    private readonly transitionMs: number,
  ) {}

  get reported(): ReportedPower {
    return this.running?.through ?? (this.power.state() === 'on' ? 'On' : 'Off');
  }

  /** Begins a reset; null when accepted, else why not. */
  begin(type: ResetType): string | null {
    const { from, through, act } = TRANSITIONS[type];
    if (this.running) return `the system is ${this.running.through}`;
    if (this.power.state() !== from) return `the system is powered ${this.power.state()}`;
    const done = delay(this.transitionMs)
      .then(() => {
        this.resets.push(type);
        return act(this.power);
      })
      .finally(() => {
        this.running = null;
      });
    this.running = { through, done };
    return null;
  }

  /** Waits for a reset under way. */
  async settle(): Promise<void> {
    await this.running?.done;
  }
}
