/**
 * What a long command on a host has said last. It travels in the heartbeats of the activity that waits for the command: Temporal keeps only the
 * newest, beside the history and not in it, and whoever watches a run reads it there.
 * @module
 */
import { plain } from '../text/plain.js';

export interface HostOutput {
  readonly kind: 'host-output';
  /** Name of the program. */
  readonly command: string;
  /** Oldest first. */
  readonly lines: readonly string[];
}

/** What an activity says with a heartbeat. */
export type HeartbeatNote = string | HostOutput;

/** More scrolls past whoever reads, and heartbeats go out every few seconds. */
export const OUTPUT_LINES = 8;
/** Wider than the widest view. */
const LINE_CHARACTERS = 200;

type Redact = (text: string) => string;

/** As it may leave the worker: few lines, each of them one line, without secrets and without anything that a terminal would act on. */
export function boundedNote(note: HeartbeatNote, redact: Redact): HeartbeatNote {
  return typeof note === 'string' ? redact(note) : bounded(note, redact);
}

/** Redacted when a line has its characters, since others may stand in between, and before it is cut, perhaps within a secret. */
function bounded({ command, lines }: Omit<HostOutput, 'kind'>, redact: Redact): HostOutput {
  const fitting = (text: string): string =>
    Array.from(redact(plain(text).trimEnd()))
      .slice(0, LINE_CHARACTERS)
      .join('');
  const said = lines.map(fitting).filter((line) => line !== '');
  return { kind: 'host-output', command: fitting(command), lines: said.slice(-OUTPUT_LINES) };
}

/** Of the details of a heartbeat, which a worker of another version may have sent; null when it is no output. */
export function hostOutputOf(details: unknown): HostOutput | null {
  if (typeof details !== 'object' || details === null) return null;
  const { kind, command, lines } = details as Partial<Record<keyof HostOutput, unknown>>;
  if (kind !== 'host-output' || typeof command !== 'string' || !Array.isArray(lines)) return null;
  const texts = lines.filter((line) => typeof line === 'string');
  return texts.length === 0 ? null : bounded({ command, lines: texts }, (text) => text);
}

/** Lines that were not there before. Of those that came and went between two looks nothing is known. */
export function newLines(before: HostOutput | null, now: HostOutput | null): readonly string[] {
  if (now === null) return [];
  return before?.command === now.command ? newest(before.lines, now.lines, (a, b) => a === b) : now.lines;
}

/**
 * What came after what was seen before, where both are only the newest of a list that may have lost its head: the longest tail of the old one
 * that begins the new one is what both share.
 */
export function newest<T>(before: readonly T[], now: readonly T[], same: (a: T, b: T) => boolean): readonly T[] {
  for (let dropped = 0; dropped < before.length; dropped += 1) {
    const shared = before.slice(dropped);
    if (shared.length <= now.length && shared.every((item, at) => same(item, now[at] as T)))
      return now.slice(shared.length);
  }
  return now;
}
