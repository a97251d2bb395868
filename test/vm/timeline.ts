/**
 * What can be seen of a machine from outside, with times: kernels that start (serial console) and SSH servers that answer.
 * @module
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine } from '../../lab/vm/machine.js';

const LOOK_EVERY_MS = 250;
const ANSWER_TIMEOUT_MS = 2_000;

export interface SeenBoot {
  readonly commandLine: string;
  /** Milliseconds since 1970, a quarter of a second late at most. */
  readonly startedAt: number;
  /** When its SSH server answered first; null while it has not. */
  readonly answeredAt: number | null;
}

export class Timeline {
  private readonly seen: { commandLine: string; startedAt: number; answeredAt: number | null }[] = [];
  private stopped = false;
  private readonly watching: Promise<void>;

  constructor(private readonly machine: Machine) {
    this.watching = this.watch();
  }

  get boots(): readonly SeenBoot[] {
    return this.seen;
  }

  /** Looks once more, and no more after that. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.watching;
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      await this.look();
      await delay(LOOK_EVERY_MS);
    }
    await this.look();
  }

  private async look(): Promise<void> {
    const lines = commandLines(await this.machine.consoleText());
    for (const commandLine of lines.slice(this.seen.length)) {
      this.seen.push({ commandLine, startedAt: Date.now(), answeredAt: null });
    }
    const last = this.seen.at(-1);
    if (last?.answeredAt === null && (await answers(this.machine.ssh.port))) last.answeredAt = Date.now();
  }
}

/** Of every kernel that started, in order. The kernel says it once, at its very beginning. */
export function commandLines(console: string): readonly string[] {
  return [...console.matchAll(/\] Command line: ([^\r\n]*)[\r\n]/g)].map((match) => match[1] ?? '');
}

/** Whether something that speaks SSH is behind the port: QEMU itself accepts every connection. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => end(false));
    socket.once('data', (bytes: Buffer) => end(bytes.toString().startsWith('SSH-')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
