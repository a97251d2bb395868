/**
 * Off, and on again, with a look in between. Common to every protocol.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PowerState } from '../../ports/bmc.js';
import { ActionRefused } from './failure.js';
import type { BmcPacing } from './pacing.js';

export interface PowerControls {
  state(): Promise<PowerState>;
  /** Cuts the power or asks for a shutdown. Throws ActionRefused when the BMC declined. */
  off(): Promise<void>;
  on(): Promise<void>;
}

export interface OffOptions {
  readonly pacing: BmcPacing;
  readonly offLimitMs: number;
}

/** The host stayed on after the BMC had accepted to turn it off. */
export class StayedOn extends Error {
  override readonly name = 'StayedOn';
}

/**
 * Turns off, waits for it, pauses, turns on, waits for it. Cannot be cancelled: from the moment off was asked for, on follows
 * whatever happens, because a host that is left off is worse than a late cancel.
 * @throws ActionRefused when off was declined and nothing has happened; StayedOn; else what `on` and `state` throw.
 */
export async function offThenOn(power: PowerControls, { pacing, offLimitMs }: OffOptions): Promise<void> {
  // When the answer is lost the power may go all the same, so that is treated like an acceptance until the end.
  const doubt = await power.off().then(() => null, unlessRefused);
  const wentOff = await reaches('off', power, pacing.pollMs, offLimitMs);
  if (wentOff) await delay(pacing.offPauseMs);
  await turnOn(power, pacing);
  if (!wentOff) throw doubt ?? new StayedOn(`the power did not go off within ${offLimitMs / 1000} s`);
}

function unlessRefused(error: unknown): unknown {
  if (error instanceof ActionRefused) throw error;
  return error;
}

/** Turns on what is off and waits until it is on. The command is repeated while the BMC says off: some lose the first one. */
export async function turnOn(power: Pick<PowerControls, 'state' | 'on'>, pacing: BmcPacing): Promise<void> {
  const deadline = performance.now() + pacing.onLimitMs;
  let last: unknown = new StayedOff(`the power did not come on within ${pacing.onLimitMs / 1000} s`);
  do {
    try {
      const state = await power.state();
      if (state === 'on') return;
      if (state === 'off') await power.on();
    } catch (error) {
      // Something has happened by now, so a refusal must not read as if nothing had.
      last = error instanceof ActionRefused ? new StayedOff(`turning on was declined: ${error.message}`) : error;
    }
    await delay(pacing.pollMs);
  } while (performance.now() < deadline);
  throw last;
}

/** The BMC accepted to turn the host on, yet it is not. */
export class StayedOff extends Error {
  override readonly name = 'StayedOff';
}

/** False when the time is over. A look that fails says nothing about the power and is not held against the BMC. */
export async function reaches(
  wanted: PowerState,
  power: Pick<PowerControls, 'state'>,
  pollMs: number,
  limitMs: number,
): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    if ((await power.state().catch(() => 'unknown')) === wanted) return true;
    if (performance.now() >= deadline) return false;
    await delay(pollMs);
  }
}
