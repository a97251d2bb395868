/**
 * Histories of runs: each run of this tier is replayed from its own, and one of each story is recorded, so that code that would take
 * another decision in a run that is under way is found before a worker does.
 * @module
 */
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type ReplayWorkerOptions, Worker } from '@temporalio/worker';
import { inject } from 'vitest';

/** A history's protobuf message with numbers for its 64-bit integers and base64 for its bytes, which protobufjs reads as well. */
export interface RecordedHistory {
  readonly events: Readonly<Record<string, unknown>>[];
}

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
const SUFFIX = '.json.gz';

/** Throws DeterminismViolationError. */
export async function replayHistory(history: unknown, options: Partial<ReplayWorkerOptions> = {}): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: { codePath: inject('workflowBundle') }, ...options }, history);
}

export const recordedStories = (): readonly string[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length));

export async function recordedHistory(story: string): Promise<RecordedHistory> {
  // Only recordHistory writes these.
  return JSON.parse(gunzipSync(await readFile(`${FOLDER}${story}${SUFFIX}`)).toString('utf8')) as RecordedHistory;
}

/** Only when `GPU_PROVISION_RECORD_HISTORIES` is set. */
export async function recordHistory(story: string, history: unknown): Promise<void> {
  if (process.env['GPU_PROVISION_RECORD_HISTORIES'] === undefined) return;
  // Who polled is of no account, and names the machine.
  const text = historyJson(history).replaceAll(/"identity":"[^"]*"/g, '"identity":"worker"');
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${FOLDER}${story}${SUFFIX}`, gzipSync(text, { level: 9 }));
}

/** The client library's own `historyToJSON` fails where protobufjs is installed twice. */
export const historyJson = (history: unknown): string => JSON.stringify(plain(history));

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  // A 64-bit integer.
  if ('toNumber' in value && typeof value.toNumber === 'function') return value.toNumber() as unknown;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
