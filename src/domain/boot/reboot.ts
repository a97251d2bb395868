/**
 * What a reboot turned out to be. A boot is known by its boot id and its tokens on the kernel command line; sshd answering
 * proves nothing. Source: ansible#78007, #83018 (answers of the old boot taken for the new one).
 * @module
 */

export const BOOT_OUTCOMES = {
  'never-left': 'the host still runs the boot that was asked to end',
  'left-not-back': 'the host went away and has not come back',
  'same-boot': 'the host went silent and answers with the old boot id: it did not reboot',
  'fell-back': 'the host is back in the known-good boot: the trial failed',
  trial: 'the host is in the trial boot',
  default: 'the host is in its default entry, as asked',
  'other-entry': 'the host booted an entry that is neither the trial nor known-good',
  flapping: 'the host rebooted again while it was looked at',
  'host-key-changed': 'something answers at the address with another host key',
} as const;

export type BootOutcomeKind = keyof typeof BOOT_OUTCOMES;

export interface BootOutcome {
  readonly kind: BootOutcomeKind;
  /** null when nothing could be read. */
  readonly bootId: string | null;
  readonly commandLine: string | null;
  /** ISO 8601, when it was first seen. */
  readonly seenAt: string | null;
  readonly evidence: string;
}

/** One reading of a running host. */
export interface BootReading {
  readonly bootId: string;
  readonly commandLine: string;
  readonly uptimeSeconds: number;
}

/** The kernel's own limit is 2,048 on x86; what is longer is no command line, and would fill a history. */
const COMMAND_LINE_LIMIT = 16_384;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Parses the output of the boot-reading script; null for anything that isn't exactly a reading: unknown is never new. */
export function parseBootReading(stdout: string): BootReading | null {
  const lines = stdout.split('\n');
  const [bootId, uptime, commandLine] = lines;
  if (lines.length < 3 || bootId === undefined || uptime === undefined || commandLine === undefined) return null;
  if (!UUID.test(bootId) || !/^\d{1,12}(\.\d+)?( |$)/.test(uptime)) return null;
  if (commandLine === '' || commandLine.length > COMMAND_LINE_LIMIT) return null;
  return { bootId, commandLine, uptimeSeconds: Number.parseFloat(uptime) };
}

export const KNOWN_GOOD_TOKEN = 'gpu-provision.known-good';
const TRIAL_PREFIX = 'gpu-provision.trial=';
export const trialToken = (runId: string): string => `${TRIAL_PREFIX}${runId}`;

/** The run whose trial a command line is of, or null. */
export function trialRunOf(commandLine: string): string | null {
  const token = commandLine.split(/\s+/).find((word) => word.startsWith(TRIAL_PREFIX));
  return token?.slice(TRIAL_PREFIX.length) ?? null;
}

export interface ExpectedBoot {
  readonly oldBootId: string;
  /** The token of the trial, or null when the default entry is what should boot (undo, direct strategy). */
  readonly trial: string | null;
}

/** What kind of boot a reading shows. `never-left` and `same-boot` differ by whether the host was silent in between. */
export function classifyBoot(reading: BootReading, expected: ExpectedBoot, wasSilent: boolean): BootOutcomeKind {
  if (reading.bootId === expected.oldBootId) return wasSilent ? 'same-boot' : 'never-left';
  const words = reading.commandLine.split(/\s+/);
  if (expected.trial !== null && words.includes(expected.trial)) return 'trial';
  if (words.includes(KNOWN_GOOD_TOKEN)) return 'fell-back';
  if (expected.trial === null && trialRunOf(reading.commandLine) === null) return 'default';
  return 'other-entry';
}
