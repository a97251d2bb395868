import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { downloadArchive } from './download.js';
import { thisMachine, type Workshop } from './workshop.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'download-'));
});
afterEach(() => rm(root, { recursive: true }));

const u16 = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);

/** A zip archive of these files, deflated: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, without times and checksums. */
function zip(files: Readonly<Record<string, string>>): Buffer {
  let bodies = Buffer.alloc(0);
  let directory = Buffer.alloc(0);
  for (const [name, text] of Object.entries(files)) {
    const data = deflateRawSync(text);
    const facts = Buffer.concat([u16(20, 0, 8, 0, 0), u32(0, data.length, text.length), u16(name.length, 0)]);
    const entry = [u32(0x02014b50), u16(20), facts, u16(0, 0, 0), u32(0, bodies.length), Buffer.from(name)];
    directory = Buffer.concat([directory, ...entry]);
    bodies = Buffer.concat([bodies, u32(0x04034b50), facts, Buffer.from(name), data]);
  }
  const count = Object.keys(files).length;
  const end = [u32(0x06054b50), u16(0, 0, count, count), u32(directory.length, bodies.length), u16(0)];
  return Buffer.concat([bodies, directory, ...end]);
}

describe('downloadArchive', () => {
  /** A real archive with one file below one folder. */
  async function archive(): Promise<Buffer> {
    await mkdir(join(root, 'release'));
    await writeFile(join(root, 'release', 'hammer'), 'iron');
    execFileSync('tar', ['-czf', join(root, 'a.tar.gz'), '-C', root, 'release']);
    return readFile(join(root, 'a.tar.gz'));
  }
  const real = (answer: typeof fetch): Workshop => ({ ...thisMachine(), report: () => undefined, fetch: answer });
  const url = 'https://example.org/a.tar.gz';

  it('unpacks what has the pinned SHA-256', async () => {
    const bytes = await archive();
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const folder = await mkdtemp(join(root, 'out-'));
    await downloadArchive(
      { url, sha256, strip: 1 },
      folder,
      real(async () => new Response(new Uint8Array(bytes))),
    );
    expect(await readdir(folder)).toEqual(['hammer']);
    expect(await readFile(join(folder, 'hammer'), 'utf8')).toBe('iron');
  });

  it('unpacks a zip, without the folders above', async () => {
    const bytes = zip({
      'a.example/tools@v1/bin/hammer': 'iron',
      'a.example/tools@v1/README': 'how to hit '.repeat(99),
    });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const folder = await mkdtemp(join(root, 'out-'));
    const answer = real(async () => new Response(new Uint8Array(bytes)));
    await downloadArchive({ url: 'https://example.org/a.zip', sha256, strip: 2 }, folder, answer);
    expect((await readdir(folder)).toSorted()).toEqual(['README', 'bin']);
    expect(await readFile(join(folder, 'bin', 'hammer'), 'utf8')).toBe('iron');
    expect(await readFile(join(folder, 'README'), 'utf8')).toBe('how to hit '.repeat(99));
  });

  it.each(['../hammer', 'a/../../hammer', '/tmp/hammer'])('refuses a zip with a file %s', async (name) => {
    const bytes = zip({ [name]: 'iron' });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const folder = await mkdtemp(join(root, 'out-'));
    const answer = real(async () => new Response(new Uint8Array(bytes)));
    await expect(
      downloadArchive({ url: 'https://example.org/a.zip', sha256, strip: 0 }, folder, answer),
    ).rejects.toThrow(name);
    expect(await readdir(folder)).toEqual(['archive.zip']);
  });

  it('does not unpack anything else', async () => {
    const folder = await mkdtemp(join(root, 'out-'));
    const sha256 = '0'.repeat(64);
    const answer = real(async () => new Response('not the archive'));
    await expect(downloadArchive({ url, sha256, strip: 0 }, folder, answer)).rejects.toThrow(
      /SHA-256 is [0-9a-f]{64}, expected 0{64}/,
    );
    expect(await readdir(folder)).toEqual(['archive.tar.gz']);
  });

  it.each([
    ['an HTTP error', async () => new Response('', { status: 404 }), `${url}: HTTP 404`],
    [
      'no network',
      () => Promise.reject(new TypeError('fetch failed', { cause: new Error('connect EHOSTUNREACH') })),
      `${url}: connect EHOSTUNREACH`,
    ],
  ])('says what happened after %s', async (_case, answer, why) => {
    await expect(downloadArchive({ url, sha256: '', strip: 0 }, root, real(answer))).rejects.toThrow(why);
  });
});
