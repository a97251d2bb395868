/**
 * Faults that strike on entering a stage of the boot.
 * @module
 */
import { delay, forever, held } from '../machine/clock.js';
import type { Machine } from '../machine/machine.js';

export async function stage(machine: Machine, name: string, commandLine: string, signal: AbortSignal): Promise<void> {
  const effect = machine.strike('boot', name, commandLine);
  switch (effect?.kind) {
    case undefined:
      return;
    case 'hang':
      return forever(signal);
    case 'delay':
      return delay(effect.ms, signal);
    case 'hold':
      return held(effect.at, signal);
    case 'panic':
      machine.panic(effect.text ?? `fault at ${name}`);
      return forever(signal);
    case 'power-cut':
      machine.powerFails(effect.restoreAfterMs);
      return forever(signal);
    default:
      throw new Error(`the boot stage ${name} can't have the effect ${effect?.kind ?? ''}`);
  }
}
