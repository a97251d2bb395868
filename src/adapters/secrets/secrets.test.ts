import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretRef } from '../../domain/spec.js';
import { createSecretSource } from './index.js';

let home = '';

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'secrets-'));
  await writeFile(join(home, 'one-newline'), 'swordfish\n');
  await writeFile(join(home, 'windows-newline'), 'swordfish\r\n');
  await writeFile(join(home, 'two-newlines'), 'swordfish\n\n');
  await writeFile(join(home, 'empty'), '\n');
  await writeFile(join(home, 'huge'), 'swordfish'.repeat(20_000));
  await mkdir(join(home, 'directory'));
});
afterAll(() => rm(home, { recursive: true }));

const source = (): ReturnType<typeof createSecretSource> =>
  createSecretSource({ home, env: { TOKEN: 'swordfish', WITH_NEWLINE: 'swordfish\n', BLANK: '' } });

describe('a secret that can be read', () => {
  it.each<[SecretRef, string]>([
    ['file:~/one-newline', 'swordfish'],
    ['file:~/windows-newline', 'swordfish'],
    ['file:~/two-newlines', 'swordfish\n'],
    ['env:TOKEN', 'swordfish'],
    ['env:WITH_NEWLINE', 'swordfish'],
  ])('%s loses one trailing newline and nothing else', async (ref, text) => {
    expect(await source().read(ref)).toBe(text);
  });

  it('may be an absolute path', async () => {
    expect(await source().read(`file:${join(home, 'one-newline')}`)).toBe('swordfish');
  });
});

describe('a secret that cannot be read', () => {
  it.each<[SecretRef, string]>([
    ['file:~/absent', 'no such file'],
    ['file:~/directory', 'is a directory'],
    ['file:~/empty', 'is empty'],
    ['file:~/huge', 'larger than 64 KiB'],
    ['file:relative/path', 'absolute path'],
    ['env:ABSENT', 'not set'],
    ['env:BLANK', 'is empty'],
    ['vault:x' as SecretRef, 'neither file:/absolute/path nor env:NAME'],
  ])('%s fails by its name and the reason, without its content', async (ref, reason) => {
    const error: unknown = await source()
      .read(ref)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'ProvisionError', type: 'SecretUnreadable' });
    const { message, details, cause } = error as Error & { details: unknown };
    expect(message).toContain(ref);
    expect(message).toContain(reason);
    expect(JSON.stringify([message, details, cause])).not.toContain('swordfish');
  });
});
