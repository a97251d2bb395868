/**
 * The BMC of a simulated host.
 * @module
 */
import type { SimulatedHost } from '../options.js';
import type { BmcOptions, SimulatedBmc } from './options.js';
import { startBmc } from './start.js';

export function startBmcOf(host: SimulatedHost, credentials: BmcOptions['credentials']): Promise<SimulatedBmc> {
  return startBmc({
    serial: host.serial,
    model: 'Simulated HGX H100',
    credentials,
    power: {
      state: () => host.power,
      on: () => host.powerOn(),
      off: () => host.powerOff(),
      cycle: () => host.powerCycle(),
      gracefulRestart: () => host.gracefulRestart(),
    },
  });
}
