/** A whole number of one unit. Six digits are plenty, and keep seconds exact. */
export const DURATION = /^[1-9][0-9]{0,5}[smhd]$/;

const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `30m`, `24h`, `2d` in seconds. Throws RangeError for anything else. */
export function durationSeconds(text: string): number {
  const unit = SECONDS_PER_UNIT[text.slice(-1)];
  if (!DURATION.test(text) || unit === undefined) throw new RangeError(`not a duration: ${text}`);
  return Number(text.slice(0, -1)) * unit;
}
