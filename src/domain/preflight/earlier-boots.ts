/**
 * How long this host is away when it reboots, from its own journal: the firmware of an eight-GPU server takes ten minutes and
 * more, and no figure from elsewhere would be right.
 * @module
 */

/** Away for longer than this it was switched off, not rebooting. */
const OFF_SECONDS = 2 * 3600;
/** Older reboots may be of another firmware. */
const BOOT_LIMIT = 10;
const MICROSECONDS = 1_000_000;

/**
 * From `journalctl --list-boots --output=json` (entries in microseconds): seconds between the last message of one boot and the first of the
 * next, newest first. Empty for anything else.
 */
export function earlierBootSeconds(json: string): readonly number[] {
  const boots = parse(json)
    .map((boot) => ({ first: entry(boot, 'first_entry'), last: entry(boot, 'last_entry') }))
    .filter((boot) => Number.isFinite(boot.first) && Number.isFinite(boot.last))
    .toSorted((a, b) => a.first - b.first);
  const gaps: number[] = [];
  for (const [index, boot] of boots.entries()) {
    const before = boots[index - 1];
    if (before === undefined) continue;
    const seconds = Math.round((boot.first - before.last) / MICROSECONDS);
    if (seconds > 0 && seconds < OFF_SECONDS) gaps.unshift(seconds);
  }
  return gaps.slice(0, BOOT_LIMIT);
}

function parse(json: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function entry(boot: unknown, field: string): number {
  const value: unknown = typeof boot === 'object' && boot !== null ? Reflect.get(boot, field) : undefined;
  return typeof value === 'number' ? value : Number.NaN;
}
