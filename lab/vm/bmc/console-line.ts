/**
 * The serial line between a BMC and the machine. QEMU serves its console at a port that comes and goes with the power;
 * ipmi_sim dials one TCP port and expects it to stay.
 * @module
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface ConsoleLine {
  /** TCP on 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/** From one try to reach a machine that is off to the next. GRUB shows its menu for longer. */
const RETRY_MS = 200;

export async function connectConsole(consolePort: number): Promise<ConsoleLine> {
  const ends = new Set<Ended>();
  const server = createServer((bmc) => {
    const end = join(bmc, consolePort);
    ends.add(end);
    bmc.once('close', () => ends.delete(end));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      for (const end of ends) end();
      await once(server, 'close');
    },
  };
}

type Ended = () => void;

/** Carries bytes both ways until the BMC hangs up; what it types while the machine is off is lost. */
function join(bmc: Socket, consolePort: number): Ended {
  let machine: Socket;
  let retry: NodeJS.Timeout | undefined;
  const dial = (): void => {
    machine = connect(consolePort, '127.0.0.1')
      .on('data', (bytes) => bmc.write(bytes))
      // Whatever went wrong, close follows.
      .on('error', () => undefined)
      .on('close', () => {
        if (!bmc.destroyed) retry = setTimeout(dial, RETRY_MS);
      });
  };
  dial();
  bmc
    .on('data', (bytes) => machine.writable && machine.write(bytes))
    .on('error', () => undefined)
    .on('close', () => {
      clearTimeout(retry);
      machine.destroy();
    });
  return () => bmc.destroy();
}
