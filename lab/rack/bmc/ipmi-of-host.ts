/**
 * A simulated host behind OpenIPMI's BMC, whose serial-over-LAN is the host's console.
 * @module
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { startIpmiBmc, type BmcIdentity, type IpmiBmc } from '../../vm/bmc/ipmi.js';
import type { SimulatedHost } from '../options.js';

export async function startIpmiBmcOf(host: SimulatedHost, credentials: BmcIdentity['credentials']): Promise<IpmiBmc> {
  const line = createServer((bmc) => {
    const deafen = host.hearConsole((text) => bmc.write(`${text}\r\n`));
    // What is typed has nobody to read it.
    bmc
      .on('data', () => undefined)
      .on('error', () => undefined)
      .on('close', deafen);
  });
  line.listen(0, '127.0.0.1');
  await once(line, 'listening');
  const bmc = await startIpmiBmc(
    {
      consolePort: (line.address() as AddressInfo).port,
      power: () => Promise.resolve(host.power),
      powerOn: async () => host.powerOn(),
      powerOff: async () => host.powerOff(),
      reset: async () => host.powerCycle(),
      powerButton: async () => host.gracefulShutdown(),
    },
    { serial: host.serial, model: 'Simulated HGX H100', credentials },
  );
  return {
    spec: bmc.spec,
    async close() {
      await bmc.close();
      line.close();
    },
  };
}
