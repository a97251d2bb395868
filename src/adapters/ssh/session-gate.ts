/**
 * Lets a bounded number of commands through at once; the others wait in line.
 * @module
 */
import { patiently, type Patience } from './patience.js';

export class SessionGate {
  private free: number;
  private readonly waiting = new Set<() => void>();

  constructor(sessions: number) {
    this.free = sessions;
  }

  /** Runs `work` when a session is free; patience limits the wait in line only. */
  async through<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
    await this.enter(patience);
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private async enter(patience: Patience): Promise<void> {
    if (this.free > 0) {
      this.free -= 1;
      return;
    }
    let turn: (() => void) | undefined;
    const called = new Promise<void>((resolve) => {
      turn = resolve;
      this.waiting.add(resolve);
    });
    try {
      await patiently(called, patience);
    } catch (error) {
      // Called up and given up at the same moment: the session goes to the next in line.
      if (turn && !this.waiting.delete(turn)) this.leave();
      throw error;
    }
  }

  private leave(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.free += 1;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}
