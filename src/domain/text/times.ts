/**
 * Moments and durations as operators read them. All moments are UTC: the people of a site sit in several time zones.
 * @module
 */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (n: number): string => String(n).padStart(2, '0');

/** `14:32:07Z` */
export function clock(iso: string): string {
  return `${iso.slice(11, 19)}Z`;
}

/** `14:32Z` */
export function minuteOf(iso: string): string {
  return `${iso.slice(11, 16)}Z`;
}

/** `Wed 25 Nov 14:31Z` */
export function moment(iso: string): string {
  const date = new Date(iso);
  return `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${minuteOf(iso)}`;
}

/** `10:20Z` on the day of `now`, else with the day. */
export function when(iso: string, now: string): string {
  return iso.slice(0, 10) === now.slice(0, 10) ? minuteOf(iso) : moment(iso);
}

/** `2026-11-24T14:41:10Z`, without fractions. */
export function stamp(iso: string): string {
  return `${iso.slice(0, 19)}Z`;
}

/** `6:20`, `1:02:10`. */
export function stopwatch(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const rest = `${two(Math.floor(s / MINUTE) % 60)}:${two(s % 60)}`;
  return s < HOUR ? rest.replace(/^0/, '') : `${Math.floor(s / HOUR)}:${rest}`;
}

/** `41 s`, `24 m`, `1 h 52 m`, `3 d 4 h`, `12 d`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} m`;
  if (s < DAY) return `${Math.floor(s / HOUR)} h ${Math.floor(s / MINUTE) % 60} m`;
  const hours = Math.floor(s / HOUR) % 24;
  return `${Math.floor(s / DAY)} d${hours === 0 ? '' : ` ${hours} h`}`;
}

/** `14 min`; below two minutes `65 s`. For figures that are estimates or limits. */
export function minutes(seconds: number): string {
  return seconds < 2 * MINUTE ? `${Math.round(seconds)} s` : `${Math.round(seconds / MINUTE)} min`;
}

export function secondsBetween(from: string, to: string): number {
  return Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1_000));
}

/** The middle of the durations of earlier boots; null when there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
