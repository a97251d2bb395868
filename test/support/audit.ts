import { readFile } from 'node:fs/promises';
import type { AuditEntry } from '../../src/domain/run/announcement.js';

/** Every line of an audit record. Throws for one that is torn: nothing but a crash of the machine leaves such a line. */
export async function readAudit(path: string): Promise<readonly AuditEntry[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as AuditEntry);
}
