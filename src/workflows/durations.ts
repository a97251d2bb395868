/**
 * Times of the workflow that no inventory sets, in seconds.
 * @module
 */
const HOUR = 3_600;

export const secondsOf = {
  /** A host that needs hands is the first thing of the next shift. */
  needsHandsReminder: 8 * HOUR,
  /** A parked phase holds a GPU server idle: remind often. */
  parkedReminder: 4 * HOUR,
  /** A receiver that is being restarted is back within it. */
  lastAnnouncements: 60,
} as const;
