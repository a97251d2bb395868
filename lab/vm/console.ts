/**
 * A person at the serial console: reads what the machine says, types what a person would.
 * @module
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;
/** A boot without KVM, and a build of boot images. */
const PATIENCE_MS = 300_000;
/** Of what was said, in an error. */
const SHOWN_CHARACTERS = 1_000;

export class SerialConsole {
  private said = '';

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    socket.on('error', () => undefined);
  }

  static async attach(port: number): Promise<SerialConsole> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new SerialConsole(socket);
  }

  /** Waits until the machine has said this since the last call, and forgets everything up to there. Rejects after five minutes. */
  async hear(what: RegExp): Promise<string> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const match = what.exec(this.said);
      if (match !== null) {
        const heard = this.said.slice(0, match.index + match[0].length);
        this.said = this.said.slice(heard.length);
        return heard;
      }
      if (Date.now() > end) throw new Error(`the console never said ${what}: ${this.said.slice(-SHOWN_CHARACTERS)}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** A line, with the return key. */
  type(line: string): void {
    this.socket.write(`${line}\r`);
  }

  detach(): void {
    this.socket.destroy();
  }
}
