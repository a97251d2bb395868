/**
 * A whole run whose receivers fail and recover: real HTTP, and what each of them has got in the end.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import type { Announcement } from '../../src/domain/run/announcement.js';
import { story } from '../support/provision-run.js';
import { withSite } from './rig.js';

const SECRET = 'a-key-that-signs-announcements';
const MOMENTS = ['started', 'gate-open', 'decision', 'outcome'];

interface Received {
  readonly path: string;
  readonly signature: string;
  readonly body: string;
}

/** As docs/notifications.md tells receivers to do it. */
async function documentedCheck(folder: string): Promise<(secret: string, header: string, body: string) => boolean> {
  const text = await readFile(fileURLToPath(new URL('../../docs/notifications.md', import.meta.url)), 'utf8');
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(text) ?? [];
  const file = join(folder, 'check.mjs');
  await writeFile(file, code);
  return ((await import(pathToFileURL(file).href)) as { isGenuine: Awaited<ReturnType<typeof documentedCheck>> })
    .isGenuine;
}

it('receivers that fail and recover have everything once, signed; one that refuses for good is an event', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-notify-'));
  const received: Received[] = [];
  /** What the flaky one answers first. */
  const failures = [503, 429];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      const failure = path === '/gone' ? 410 : path === '/flaky' ? failures.shift() : undefined;
      response.writeHead(failure ?? 200).end();
      if (failure === undefined) {
        received.push({ path, signature: String(request.headers['x-gpu-provision-signature']), body });
      }
    });
  });
  try {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const keep = async (name: string, content: string): Promise<`file:${string}`> => {
      await writeFile(join(folder, name), content, { mode: 0o600 });
      return `file:${join(folder, name)}`;
    };
    const secret = await keep('key', SECRET);
    await withSite({}, async (site) => {
      const run = await site.begin(['preflight', 'node-preparation', 'gpu-isolation'], {
        ...site.spec,
        notify: [
          { kind: 'webhook', url: await keep('flaky', `${base}/flaky`), secret },
          { kind: 'slack', url: await keep('chat', `${base}/chat`) },
          { kind: 'webhook', url: await keep('gone', `${base}/gone`), secret },
        ],
      });
      await run.answer('reject', 'reboot');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('rejected');
      const told = status.events.filter(({ kind }) => kind === 'announce').map(({ text }) => text);
      expect(told.toSorted()).toEqual(MOMENTS.map((moment) => `${moment}: notify[2] (webhook): HTTP 410`).toSorted());
      expect(JSON.stringify(status)).not.toContain(base);

      const isGenuine = await documentedCheck(folder);
      const flaky = received.filter(({ path }) => path === '/flaky');
      const announcements = flaky.map(({ body }) => JSON.parse(body) as Announcement);
      const inOrder = announcements.toSorted((a, b) => a.id.localeCompare(b.id));
      expect(inOrder.map(({ moment }) => moment)).toEqual(MOMENTS);
      expect(inOrder.map(({ id }) => id)).toEqual(MOMENTS.map((_, i) => `${status.runId}/${i + 1}`));
      for (const { signature, body } of flaky) {
        expect(isGenuine(SECRET, signature, body)).toBe(true);
        expect(isGenuine(SECRET, signature, `${body} `)).toBe(false);
        expect(isGenuine('another key', signature, body)).toBe(false);
        expect(isGenuine(SECRET, signature.replace('t=1', 't=2'), body)).toBe(false);
      }
      // It had every announcement at the first attempt, and is not asked again by those for the other one.
      const chat = received.filter(({ path }) => path === '/chat').map(({ body }) => JSON.parse(body) as object);
      expect(chat).toHaveLength(MOMENTS.length);
      expect(JSON.stringify(chat)).toContain('GATE reboot');
    });
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  }
});
