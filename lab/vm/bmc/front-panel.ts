/**
 * What a BMC has wires to: the machine's power. Whoever speaks for a BMC asks over a unix socket with one word and gets one line
 * back: `on` or `off` for `status`, else `accepted` or what is wrong.
 *
 * A command is accepted at once and follows in its turn, as with a BMC of hardware: its callers wait for an answer only seconds,
 * and QEMU may need longer to start. So nobody is told that the power changed; they look.
 * @module
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** What a BMC needs of a machine. */
export interface PoweredMachine {
  power(): Promise<'on' | 'off'>;
  powerOn(): Promise<void>;
  /** Cuts the power. */
  powerOff(): Promise<void>;
  reset(): Promise<void>;
  /** As ACPI tells the operating system, which may ignore it. */
  powerButton(): Promise<void>;
  /** Of the serial console on 127.0.0.1; nobody listens while the machine is off. */
  readonly consolePort: number;
}

const COMMANDS: Readonly<Record<string, (machine: PoweredMachine) => Promise<void>>> = {
  on: (machine) => machine.powerOn(),
  off: (machine) => machine.powerOff(),
  reset: (machine) => whileOn(machine, () => machine.reset()),
  shutdown: (machine) => whileOn(machine, () => machine.powerButton()),
  // No machine has a button for it: `turnOnAgain` does the rest.
  restart: (machine) => whileOn(machine, () => machine.powerButton()),
};

/** There is nothing to reset or to shut down otherwise, and nobody to tell. */
async function whileOn(machine: PoweredMachine, act: () => Promise<void>): Promise<void> {
  if ((await machine.power()) === 'on') await act();
}

const LOOK_EVERY_MS = 100;
/** An operating system that goes down later does so for another reason, and stays off. */
const RESTART_LIMIT_MS = 5 * 60_000;

export class FrontPanel {
  private readonly connections = new Set<Socket>();
  /** The commands so far, one after the other. */
  private done: Promise<void> = Promise.resolve();
  /** Replaced with every command: a graceful restart under way is then nobody's wish any more. */
  private superseded = new AbortController();

  private constructor(
    private readonly folder: string,
    private readonly machine: PoweredMachine,
    private readonly server: Server,
  ) {
    server.on('connection', (connection) => this.attend(connection));
  }

  static async open(machine: PoweredMachine): Promise<FrontPanel> {
    // mkdtemp makes it ours alone, and with it the socket.
    const folder = await mkdtemp(join(tmpdir(), 'front-panel-'));
    const panel = new FrontPanel(folder, machine, createServer());
    panel.server.listen(panel.socket);
    await once(panel.server, 'listening');
    return panel;
  }

  get socket(): string {
    return join(this.folder, 'socket');
  }

  /** Resolves when the last accepted command is over; a graceful restart is not waited for. */
  async close(): Promise<void> {
    this.superseded.abort();
    for (const connection of this.connections) connection.destroy();
    this.server.close();
    await this.done;
    await rm(this.folder, { recursive: true });
  }

  private attend(connection: Socket): void {
    this.connections.add(connection);
    connection.on('close', () => this.connections.delete(connection));
    // Who hangs up is answered by nobody.
    connection.on('error', () => undefined);
    const lines = createInterface({ input: connection });
    lines.on('error', () => undefined);
    lines.once('line', (word) => {
      void this.answer(word).then((answer) => connection.end(`${answer}\n`));
    });
  }

  private async answer(word: string): Promise<string> {
    if (word === 'status') return this.machine.power().catch(String);
    const command = COMMANDS[word];
    if (command === undefined) return `no such command: ${word}`;
    this.superseded.abort();
    const { signal } = (this.superseded = new AbortController());
    this.follow(word, async () => {
      await command(this.machine);
      if (word === 'restart') void this.turnOnAgain(signal);
    });
    return 'accepted';
  }

  private follow(what: string, act: () => Promise<void>): void {
    this.done = this.done.then(act).catch((error: unknown) => {
      // Nobody waits for it any more.
      process.stderr.write(`front panel: ${what}: ${String(error)}\n`);
    });
  }

  private async turnOnAgain(superseded: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([superseded, AbortSignal.timeout(RESTART_LIMIT_MS)]);
    while (!signal.aborted) {
      const power = await this.machine.power().catch(() => 'unknown');
      if (power === 'off') return signal.aborted ? undefined : this.follow('on', () => this.machine.powerOn());
      await delay(LOOK_EVERY_MS);
    }
  }
}
