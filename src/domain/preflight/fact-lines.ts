/**
 * Lines of a key, a tab and a value, as the fact scripts print them.
 * @module
 */
import type { Parsed } from '../gpu/pci.js';

/** More than any host prints; a longer answer is not one. */
const LINE_LIMIT = 20_000;

export class FactLines {
  constructor(private readonly values: ReadonlyMap<string, readonly string[]>) {}

  /** Every value of a key that isn't empty. */
  all(key: string): readonly string[] {
    return this.values.get(key) ?? [];
  }

  /** The first value that isn't empty, or null. */
  text(key: string): string | null {
    return this.all(key)[0] ?? null;
  }

  /** A whole number that is not negative, or null for anything else. */
  count(key: string): number | null {
    const text = this.text(key)?.trim() ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : null;
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  /** Exit code of a command; null when it didn't run or is not installed. */
  exit(key: string): number | null {
    const code = this.count(`${key}.rc`);
    return code === 127 ? null : code;
  }

  /** What a command printed, as lines; null unless it ran and succeeded. */
  printed(key: string): readonly string[] | null {
    return this.exit(key) === 0 ? this.all(key) : null;
  }
}

/** A text without its last line `end` was cut short and is a problem: a missing line must not look like an absent fact. */
export function parseFactLines(output: string): Parsed<FactLines> {
  const lines = output.split('\n');
  if (lines.length > LINE_LIMIT) return { ok: false, problem: `the host printed ${lines.length} lines of facts` };
  if (lines.findLast((line) => line !== '') !== 'end\tok')
    return { ok: false, problem: 'the facts of the host have no end' };
  const values = new Map<string, string[]>();
  for (const line of lines) {
    const at = line.indexOf('\t');
    if (at < 1) continue;
    const [key, value] = [line.slice(0, at), line.slice(at + 1).trimEnd()];
    const list = values.get(key) ?? [];
    if (value !== '') list.push(value);
    values.set(key, list);
  }
  return { ok: true, value: new FactLines(values) };
}
