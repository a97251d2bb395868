import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../domain/run/announcement.js';
import { createAuditLog } from './audit-log.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  path = join(folder, 'state', 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const entry = (number: number, change: Partial<AuditEntry> = {}): AuditEntry => ({
  id: `run-1:${number}`,
  at: '2026-11-24T14:40:02.000Z',
  run: 'run-1',
  server: 'h100-01',
  site: 'fra1',
  what: 'decision',
  who: 'op-a@ops1',
  digest: '7f3a-91c2',
  text: 'reboot approved',
  ...change,
});
const open = (redact = (text: string): string => text) => createAuditLog({ path, redact });
const entries = (file = path): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('the audit record', () => {
  it('is one JSON line for each entry, in order, also when they are written at once', async () => {
    const log = open();
    const all = Array.from({ length: 50 }, (_, i) => entry(i));
    await Promise.all(all.map((one) => log.append(one)));
    expect(entries()).toEqual(all);
    expect(readFileSync(path, 'utf8').endsWith('}\n')).toBe(true);
  });

  it('keeps the lines of several workers apart', async () => {
    const logs = [open(), open(), open()];
    const long = 'x'.repeat(20_000);
    await Promise.all(Array.from({ length: 60 }, (_, i) => logs[i % 3]!.append(entry(i, { text: `${i} ${long}` }))));
    const ids = entries().map((one) => (one as AuditEntry).id);
    expect(ids.toSorted()).toEqual(Array.from({ length: 60 }, (_, i) => `run-1:${i}`).toSorted());
  });

  it('stays on one line whatever the text is', async () => {
    const text = 'a\nb\r\n\u2028"}\n{"id":"forged"}';
    await open().append(entry(1, { text }));
    expect(entries()).toEqual([entry(1, { text })]);
  });

  it('begins a new line after one that was torn by a crash', async () => {
    await open().append(entry(1));
    appendFileSync(path, '{"id":"run-1:2","at":"20');
    await open().append(entry(3));
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect([lines[0], lines[2]].map((line) => JSON.parse(line!) as unknown)).toEqual([entry(1), entry(3)]);
  });

  it('goes on in a new file when the old one was moved away, as logrotate does', async () => {
    const log = open();
    await log.append(entry(1));
    renameSync(path, `${path}.1`);
    await log.append(entry(2));
    expect(entries(`${path}.1`)).toEqual([entry(1)]);
    expect(entries()).toEqual([entry(2)]);
  });

  it('belongs to its user alone', async () => {
    await open().append(entry(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'state')).mode & 0o777).toBe(0o700);
  });

  it('holds no secret', async () => {
    await open((text) => text.replaceAll('hunter2-hunter2', '[redacted]')).append(
      entry(1, { text: 'the BMC said hunter2-hunter2' }),
    );
    expect(entries()).toEqual([entry(1, { text: 'the BMC said [redacted]' })]);
  });

  it('says why when it cannot be written, and writes again when it can', async () => {
    writeFileSync(join(folder, 'state'), 'a file where the folder should be');
    const log = open();
    await expect(log.append(entry(1))).rejects.toThrow(/EEXIST|ENOTDIR/);
    rmSync(join(folder, 'state'));
    await log.append(entry(2));
    expect(entries()).toEqual([entry(2)]);
  });

  it('fails on a disk that is full', async () => {
    await expect(createAuditLog({ path: '/dev/full', redact: (text) => text }).append(entry(1))).rejects.toThrow(
      'ENOSPC',
    );
  });
});
