/**
 * Times of the workflow that no inventory sets, in seconds.
 * @module
 */
const MINUTE = 60;
const HOUR = 60 * MINUTE;

export const secondsOf = {
  /** A host that needs hands is the first thing of the next shift. */
  needsHandsReminder: 8 * HOUR,
  /** A parked phase holds a GPU server idle: remind often. */
  parkedReminder: 4 * HOUR,
  /** A receiver that is being restarted is back within it. */
  lastAnnouncements: 60,
  /** Who started the run waits for its end; the record is for years. */
  lastAuditLines: 10 * MINUTE,
  /** The BMC gives its console back within it, and what was read is kept. */
  consoleIsGivenBack: 30,
  /** Beside the patience of the ladder: the time that a BMC takes for what it is told. */
  consoleBesideLadder: HOUR,
} as const;
