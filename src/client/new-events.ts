import type { RunEvent } from '../domain/run/messages.js';

/**
 * What came after the events seen before. The workflow keeps the newest few hundred, so the list may have lost its head: the longest
 * tail of the old one that begins the new one is what both share.
 */
export function newEvents(before: readonly RunEvent[], now: readonly RunEvent[]): readonly RunEvent[] {
  for (let dropped = 0; dropped < before.length; dropped += 1) {
    if (before.slice(dropped).every((event, i) => same(event, now[i]))) return now.slice(before.length - dropped);
  }
  return now;
}

function same(a: RunEvent, b: RunEvent | undefined): boolean {
  return a.at === b?.at && a.kind === b.kind && a.text === b.text;
}
