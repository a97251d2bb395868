/**
 * The journal of a host, over its boots.
 * @module
 */

export interface JournalLine {
  readonly bootId: string;
  readonly at: number;
  /** `kernel`, `systemd` or the unit's program. */
  readonly identifier: string;
  /** The unit it belongs to, null for the kernel and the rest. */
  readonly unit: string | null;
  readonly text: string;
}

/** Enough for the boots of a test; the oldest go first. */
const MAX_LINES = 4_000;

export class Journal {
  readonly lines: JournalLine[] = [];

  add(line: JournalLine): void {
    this.lines.push(line);
    if (this.lines.length > MAX_LINES) this.lines.splice(0, this.lines.length - MAX_LINES);
  }

  /** Boot ids, oldest first, with first and last time. */
  boots(): readonly { readonly id: string; readonly first: number; readonly last: number }[] {
    const boots = new Map<string, { id: string; first: number; last: number }>();
    for (const { bootId, at } of this.lines) {
      const known = boots.get(bootId);
      if (known === undefined) boots.set(bootId, { id: bootId, first: at, last: at });
      else known.last = at;
    }
    return [...boots.values()];
  }
}
