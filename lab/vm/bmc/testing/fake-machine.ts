/**
 * A machine that is only its power and its console, which repeats in capitals what is typed.
 * @module
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../tools/free-port.js';
import type { PoweredMachine } from '../front-panel.js';

/** Long enough to find out a BMC that does not look at the power, but remembers what it was told. */
export const TRANSITION_MS = 200;

export class FakeMachine implements PoweredMachine {
  /** May be set: the power is not the BMC's alone. */
  state: 'on' | 'off' = 'on';
  /** What happened to it, in order: `on`, `off`, `reset`, `button`. */
  readonly history: string[] = [];
  private console: Server | null = null;
  private readonly watchers = new Set<Socket>();

  private constructor(readonly consolePort: number) {}

  static async create(): Promise<FakeMachine> {
    const machine = new FakeMachine(await freePort());
    await machine.openConsole();
    return machine;
  }

  power(): Promise<'on' | 'off'> {
    return Promise.resolve(this.state);
  }

  async powerOn(): Promise<void> {
    if (this.state === 'on') return;
    await delay(TRANSITION_MS);
    await this.openConsole();
    this.history.push('on');
    this.state = 'on';
  }

  async powerOff(): Promise<void> {
    if (this.state === 'off') return;
    await delay(TRANSITION_MS);
    this.history.push('off');
    this.goOff();
  }

  reset(): Promise<void> {
    this.history.push('reset');
    return Promise.resolve();
  }

  powerButton(): Promise<void> {
    this.history.push('button');
    setTimeout(() => this.goOff(), TRANSITION_MS);
    return Promise.resolve();
  }

  /** On its console. */
  say(text: string): void {
    for (const watcher of this.watchers) watcher.write(text);
  }

  private goOff(): void {
    this.state = 'off';
    this.console?.close();
    for (const watcher of this.watchers) watcher.destroy();
  }

  private async openConsole(): Promise<void> {
    this.console = createServer((watcher) => {
      this.watchers.add(watcher);
      watcher.on('error', () => undefined).on('close', () => this.watchers.delete(watcher));
      watcher.on('data', (typed) => watcher.write(typed.toString().toUpperCase()));
    });
    this.console.listen(this.consolePort, '127.0.0.1');
    await once(this.console, 'listening');
  }

  destroy(): Promise<void> {
    this.goOff();
    return Promise.resolve();
  }
}
