/**
 * The audit record as a file of JSON lines. Opened for each entry, so that logrotate needs to tell nobody.
 * @module
 */
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditLog } from '../../ports/audit.js';

export interface AuditLogOptions {
  readonly path: string;
  /** Takes secrets out. */
  readonly redact: (text: string) => string;
}

const NEWLINE = 0x0a;
/** Read as well: whether the last line is whole is seen in the file alone. */
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

export function createAuditLog({ path, redact }: AuditLogOptions): AuditLog {
  // One after the other: two entries of this process must not both find the end of the same torn line.
  let last: Promise<void> = Promise.resolve();
  return {
    append(entry) {
      const mine = last.then(() => write(path, redact(JSON.stringify(entry))));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

async function write(path: string, json: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, APPEND, 0o600);
  try {
    const { size } = await file.stat();
    const line = Buffer.from(`${(await endsWhole(file, size)) ? '' : '\n'}${json}\n`);
    // In one piece: O_APPEND keeps lines of several workers apart, but only within a write.
    const { bytesWritten } = await file.write(line);
    if (bytesWritten !== line.length) throw new Error(`${path}: ${bytesWritten} of ${line.length} bytes written`);
    await file.sync();
    if (size === 0) await syncFolder(dirname(path));
  } finally {
    await file.close();
  }
}

/** False after a crash or a full disk in the middle of a line, and while another worker writes: then an empty line comes between. */
async function endsWhole(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === NEWLINE;
}

/** A new file's name is on the disk only then. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
