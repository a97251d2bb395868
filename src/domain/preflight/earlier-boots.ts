/**
 * How long this host is away when it reboots, from its own journal: the firmware of an eight-GPU server takes ten minutes and
 * more, and no figure from elsewhere would be right.
 * @module
 */
import { at, jsonOrNull, listAt, textAt } from '../cluster/objects.js';

/** Away for longer than this it was switched off after all, or lost a boot that never wrote its journal. */
const OFF_SECONDS = 2 * 3600;
/** Older reboots may be of another firmware. */
const BOOT_LIMIT = 10;
const MICROSECONDS = 1_000_000;

/**
 * Seconds between the last message of a boot that ended in a reboot and the first of the next, newest first. A boot that ended in a power-off,
 * or in nothing, says nothing about how long a reboot takes. Empty for anything that can't be understood.
 * @param boots `journalctl --list-boots --output=json`: ids, entries in microseconds.
 * @param reboots `journalctl UNIT=reboot.target JOB_RESULT=done --output=json`: a line for each boot that reached the target, which systemd
 * says last before its journal ends. Where /var is unmounted before that, the line is missing, and so is the figure.
 */
export function earlierBootSeconds(boots: string, reboots: readonly string[]): readonly number[] {
  const objects = reboots.filter((line) => line.startsWith('{'));
  const rebooted = new Set(objects.flatMap((line) => textAt(jsonOrNull(line), '_BOOT_ID') ?? []));
  const sorted = listAt(jsonOrNull(boots))
    .map((boot) => ({
      first: numberAt(boot, 'first_entry'),
      last: numberAt(boot, 'last_entry'),
      rebooted: rebooted.has(textAt(boot, 'boot_id') ?? ''),
    }))
    .filter((boot) => Number.isFinite(boot.first) && Number.isFinite(boot.last))
    .toSorted((a, b) => a.first - b.first);
  const gaps: number[] = [];
  for (const [index, boot] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || !before.rebooted) continue;
    const seconds = Math.round((boot.first - before.last) / MICROSECONDS);
    if (seconds > 0 && seconds < OFF_SECONDS) gaps.unshift(seconds);
  }
  return gaps.slice(0, BOOT_LIMIT);
}

function numberAt(value: unknown, field: string): number {
  const found = at(value, field);
  return typeof found === 'number' ? found : Number.NaN;
}
