/**
 * Reads what ipmitool prints. What does not look exactly as expected is null, never a guess.
 * @module
 */
import type { PowerState } from '../../../ports/bmc.js';
import { EVENT_LOG_LINES, eventLogLine } from '../event-log.js';

export function parsePowerStatus(stdout: string): PowerState | null {
  const state = /^Chassis Power is (on|off)$/m.exec(stdout.trim())?.[1];
  return state === 'on' || state === 'off' ? state : null;
}

/** `ipmitool sol info`: `Enabled                         : true`. */
export function parseSolEnabled(stdout: string): boolean | null {
  const enabled = /^Enabled +: (true|false)$/m.exec(stdout)?.[1];
  return enabled === undefined ? null : enabled === 'true';
}

/** `ipmitool sel list`: `   1 | 11/24/2026 | 14:41:10 | Power Unit #0x01 | Power off/down | Asserted`, oldest first. */
export function parseEventLog(stdout: string): readonly string[] {
  return stdout
    .split('\n')
    .map((line) => eventLogLine(line.trim()))
    .filter((line) => /^[0-9a-f]+ \|/.test(line))
    .slice(-EVENT_LOG_LINES);
}

/** FRU fields have at most 63 bytes. */
const FIELD_LIMIT = 100;

/** A field of `ipmitool fru print`, such as `Product Serial`; null when it is absent or empty. */
export function parseFruField(stdout: string, field: string): string | null {
  for (const line of stdout.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === -1 || line.slice(0, colon).trim() !== field) continue;
    const value = line.slice(colon + 1).trim();
    if (value !== '') return value.slice(0, FIELD_LIMIT);
  }
  return null;
}
