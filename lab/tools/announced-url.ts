/**
 * Where a server that chose its own port says that it listens.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from './child.js';

/** Python imports for a second or two, and many seconds on a machine whose cores are all busy. */
const START_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 50;

/** The URL in `Running on URL`, as Flask prints it. Rejects when the server ends before. */
export async function announcedUrl(title: string, server: Child): Promise<string> {
  let ended = false;
  void server.exited.then(() => (ended = true));
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const url = /Running on (https?:\/\/127\.0\.0\.1:\d+)/.exec(server.output())?.[1];
    if (url !== undefined) return url;
    if (ended) throw new Error(`${title} ended: ${server.output()}`);
    if (performance.now() > deadline) throw new Error(`${title} does not listen: ${server.output()}`);
    await delay(LOOK_EVERY_MS);
  }
}
