import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, asyncProperty, string } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../ports/artifacts.js';
import { BadStore, openArtifactStore } from './index.js';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const open = (place: string, env = {}): ArtifactStore => openArtifactStore(place, { env, remember: () => undefined });

let folder: string;
let store: ArtifactStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
  store = open(join(folder, 'deep', 'store'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const files = (): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('artifacts in a directory', () => {
  it('are found again by their content, by whoever knows the place', async () => {
    const text = 'update-initramfs: Generating /boot/initrd.img-6.8.0-60-generic\n';
    const stored = await store.put(text);
    expect(stored).toEqual({ sha256: hash(text), bytes: Buffer.byteLength(text) });
    expect(await open(store.url).get(stored.sha256)).toBe(text);
    expect(store.url).toBe(`file://${folder}/deep/store`);
  });

  it('are every text as it was', async () => {
    await assert(
      asyncProperty(string({ unit: 'grapheme', maxLength: 2_000 }), async (text) => {
        expect(await store.get((await store.put(text)).sha256)).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it('are one file however often and by however many they are written, and leave no part behind', async () => {
    await Promise.all(Array.from({ length: 20 }, () => store.put('the same')));
    expect(files()).toHaveLength(1);
    expect(readFileSync(files()[0]!, 'utf8')).toBe('the same');
  });

  it('belong to their user alone', async () => {
    await store.put('x');
    expect(statSync(files()[0]!).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'deep')).mode & 0o777).toBe(0o700);
  });

  it('are refused when they are damaged', async () => {
    const { sha256 } = await store.put('what was found');
    writeFileSync(files()[0]!, 'what somebody wishes to have been found');
    await expect(store.get(sha256)).rejects.toThrow(`artifact ${sha256} is damaged`);
    // Writing it again repairs it.
    await store.put('what was found');
    expect(await store.get(sha256)).toBe('what was found');
  });

  it('that are not there are an error that names them', async () => {
    await expect(store.get(hash('never'))).rejects.toThrow(`${store.url} has no artifact ${hash('never')}`);
  });

  it.each(['', '../../etc/passwd', 'A'.repeat(64), `${'a'.repeat(63)}/`, `${'a'.repeat(64)}\n`])(
    'are asked for by a hash alone, and not by %j',
    async (name) => {
      await expect(store.get(name)).rejects.toThrow('is no SHA-256: expected 64 hex digits');
    },
  );

  it('fail where nothing can be written, and leave nothing behind', async () => {
    writeFileSync(join(folder, 'deep'), 'a file');
    await expect(store.put('x')).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect(files()).toEqual([join(folder, 'deep')]);
  });
});

describe('the place of artifacts', () => {
  const AWS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };

  it.each([
    ['relative/path', {}, /cannot be kept in relative\/path: expected an absolute path or s3:\/\/BUCKET\/PREFIX/],
    ['http://example.org/x', {}, /cannot be kept in http:\/\/example\.org\/x/],
    ['s3://', AWS, /cannot be kept in s3:\/\/: /],
    ['s3://Bucket', AWS, /small letters/],
    ['s3://a.b', AWS, /small letters/],
    ['s3://bucket', {}, /^s3:\/\/bucket needs the environment variable AWS_ACCESS_KEY_ID$/],
    ['s3://bucket/x', { AWS_ACCESS_KEY_ID: 'id' }, /needs the environment variable AWS_SECRET_ACCESS_KEY/],
    ['s3://bucket', { ...AWS, AWS_ENDPOINT_URL_S3: 'minio:9000' }, /is minio:9000: expected https:\/\/HOST\[:PORT\]/],
  ])('%s is refused, saying what would be right', (place, env, message) => {
    expect(() => open(place, env)).toThrow(BadStore);
    expect(() => open(place, env)).toThrow(message);
  });

  it.each([
    ['s3://bucket', 's3://bucket'],
    ['s3://bucket/', 's3://bucket'],
    ['s3://bucket/fra1/runs/', 's3://bucket/fra1/runs'],
  ])('%s is %s', (place, url) => {
    expect(open(place, AWS).url).toBe(url);
  });

  it('in S3 gives its credentials to whoever takes secrets out', () => {
    const remembered: string[] = [];
    const env = { ...AWS, AWS_SESSION_TOKEN: 'session' };
    openArtifactStore('s3://bucket', { env, remember: (secret) => remembered.push(secret) });
    expect(remembered).toEqual(['key', 'session']);
  });
});
