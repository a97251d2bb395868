/**
 * Archives of official releases, checked against the SHA-256 that is pinned here: a release that was replaced is refused.
 * @module
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { unzip } from './unzip.js';
import type { Workshop } from './workshop.js';

export interface Archive {
  /** Of a .tar.gz or a .zip. */
  readonly url: string;
  /** Of the request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly sha256: string;
  /** Folder levels of the archive to leave out. */
  readonly strip: number;
}

/** Until the answer begins, redirects included. Machines that reach package registries only shall not wait longer for the next route. */
export const ANSWER_TIMEOUT_SECONDS = 5;
/** A transfer that stands still for this long is given up. */
const STALL_TIMEOUT_SECONDS = 30;
const UNPACK_TIMEOUT_SECONDS = 120;
const REPORT_EVERY_BYTES = 16 * 1024 * 1024;

/** Downloads, checks and unpacks into `folder`. */
export async function downloadArchive(archive: Archive, folder: string, workshop: Workshop): Promise<void> {
  const isZip = archive.url.endsWith('.zip');
  const file = join(folder, isZip ? 'archive.zip' : 'archive.tar.gz');
  const found = await save(archive, file, workshop);
  if (found !== archive.sha256) {
    throw new Error(`${archive.url}: SHA-256 is ${found}, expected ${archive.sha256}; not used`);
  }
  if (isZip) await unzip(file, folder, archive.strip);
  else await untar(file, folder, archive.strip, workshop);
  await rm(file);
}

async function untar(file: string, folder: string, strip: number, workshop: Workshop): Promise<void> {
  await workshop.run(['tar', '-xzf', file, '-C', folder, `--strip-components=${strip}`], {
    timeoutSeconds: UNPACK_TIMEOUT_SECONDS,
  });
}

/** SHA-256 of what was saved, hexadecimal. */
async function save({ url, headers = {} }: Archive, file: string, workshop: Workshop): Promise<string> {
  const stop = new AbortController();
  let timer = setTimeout(
    () => stop.abort(new Error(`${url}: no answer in ${ANSWER_TIMEOUT_SECONDS} s`)),
    ANSWER_TIMEOUT_SECONDS * 1000,
  );
  try {
    const response = await workshop.fetch(url, { headers, signal: stop.signal });
    if (!response.ok || response.body === null) throw new Error(`${url}: HTTP ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    const hash = createHash('sha256');
    let received = 0;
    let reported = 0;
    const watch = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        timer.refresh();
        hash.update(chunk);
        received += chunk.length;
        if (received - reported >= REPORT_EVERY_BYTES) {
          reported = received;
          workshop.report(`  ${megabytes(received)}${total > 0 ? ` of ${megabytes(total)}` : ''}`);
        }
        done(null, chunk);
      },
    });
    clearTimeout(timer);
    timer = setTimeout(
      () => stop.abort(new Error(`${url}: stood still for ${STALL_TIMEOUT_SECONDS} s after ${megabytes(received)}`)),
      STALL_TIMEOUT_SECONDS * 1000,
    );
    await pipeline(Readable.fromWeb(response.body as never), watch, createWriteStream(file));
    return hash.digest('hex');
  } catch (error) {
    if (stop.signal.aborted) throw stop.signal.reason as Error;
    throw new Error(`${url}: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}
