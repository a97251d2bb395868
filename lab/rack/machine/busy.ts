/**
 * When a host had something to do for whoever provisions it, so that a benchmark can tell its time from that of the software around it.
 * @module
 */
import type { BusyPeriod } from '../options.js';

/** A whole run has about a thousand. */
const MAX_PERIODS = 10_000;

export class BusyLog {
  private readonly list: BusyPeriod[] = [];
  private awaySince: number | null = null;

  get periods(): readonly BusyPeriod[] {
    return [...this.list];
  }

  /** Something that began then is over. */
  note(kind: BusyPeriod['kind'], what: string, from: number): void {
    this.list.push({ kind, what, from, to: Date.now() });
    if (this.list.length > MAX_PERIODS) this.list.shift();
  }

  /** The machine starts, or leaves the boot it is in; only the first of several reasons counts. */
  leaves(): void {
    this.awaySince ??= Date.now();
  }

  /** sshd listens. */
  answers(bootId: string): void {
    if (this.awaySince === null) return;
    this.note('boot', bootId, this.awaySince);
    this.awaySince = null;
  }
}
