import { chmod, mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretRef } from '../../domain/spec.js';
import { readSecretFromCommand } from './command.js';
import { createSecretSource, redactor } from './index.js';

let home = '';

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'secrets-'));
  await writeFile(join(home, 'one-newline'), 'swordfish\n');
  await writeFile(join(home, 'windows-newline'), 'swordfish\r\n');
  await writeFile(join(home, 'two-newlines'), 'swordfish\n\n');
  await writeFile(join(home, 'empty'), '\n');
  await writeFile(join(home, 'huge'), 'swordfish'.repeat(20_000));
  await mkdir(join(home, 'directory'));
  const program = (name: string, text: string): Promise<void> =>
    writeFile(join(home, name), `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  await program('print', 'printf "%s|" "$@" "$TOKEN"; echo');
  await program('fail', 'echo swordfish; echo swordfish >&2; exit 3');
  await program('flood', 'yes swordfish | head -c 70000');
  await program('ask', 'read -r answer && echo swordfish; exit 4');
  await program('hang', 'echo swordfish; exec sleep 600');
  await program('silent', ':');
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

  it('is what a program prints, whose words no shell sees', async () => {
    expect(await source().read(`command:${home}/print a $TOKEN ;id *`)).toBe('a|$TOKEN|;id|*|swordfish|');
  });

  it('is taken out of what this process says from then on', async () => {
    await writeFile(join(home, 'read-once'), 'once-read-trout\n');
    expect(redactor.text('once-read-trout')).toBe('once-read-trout');
    await source().read('file:~/read-once');
    expect(redactor.text('a once-read-trout b')).toBe('a [redacted] b');
  });

  it('is warned about once when every user may read it', async () => {
    await writeFile(join(home, 'open'), 'swordfish');
    const warnings: string[] = [];
    const careful = createSecretSource({ home, warn: (text) => warnings.push(text) });
    await chmod(join(home, 'open'), 0o640);
    await careful.read('file:~/open');
    expect(warnings).toEqual([]);
    await chmod(join(home, 'open'), 0o644);
    await careful.read('file:~/open');
    await careful.read('file:~/open');
    expect(warnings).toEqual(['every user of this machine may read the secret file:~/open (mode 644): chmod 600']);
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
    ['command:~/nowhere', 'a program that is not there'],
    ['command:HOME/one-newline', 'may not run'],
    ['command:HOME/fail', 'ended with exit code 3'],
    ['command:HOME/flood', 'larger than 64 KiB'],
    ['command:HOME/ask', 'ended with exit code 4'],
    ['command:HOME/silent', 'is empty'],
  ])('%s fails by its name and the reason, without its content', async (written, reason) => {
    const ref = written.replace('HOME', home) as SecretRef;
    const error: unknown = await source()
      .read(ref)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'ProvisionError', type: 'SecretUnreadable' });
    const { message, details, cause } = error as Error & { details: unknown };
    expect(message).toContain(ref);
    expect(message).toContain(reason);
    expect(JSON.stringify([message, details, cause])).not.toContain('swordfish');
  });

  it('whose program does not end is not waited for', async () => {
    const ref = `command:${home}/hang` as const;
    await expect(readSecretFromCommand(ref, `${home}/hang`, { env: process.env, limitMs: 200 })).rejects.toThrow(
      `the secret ${ref} did not come within 0.2 s: its program was ended`,
    );
  });

  it('that stands where its reference should is not repeated', async () => {
    const error: unknown = await source()
      .read('swordfish' as SecretRef)
      .catch((e: unknown) => e);
    expect(String(error)).toContain(
      'is not referred to by file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    );
    expect(JSON.stringify([String(error), error])).not.toContain('swordfish');
  });
});
