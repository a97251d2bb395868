import { newest } from '../domain/run/host-output.js';
import type { RunEvent } from '../domain/run/messages.js';

/** What came after the events seen before: the workflow keeps the newest few hundred. */
export const newEvents = (before: readonly RunEvent[], now: readonly RunEvent[]): readonly RunEvent[] =>
  newest(before, now, (a, b) => a.at === b.at && a.kind === b.kind && a.text === b.text);
