import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Announcement } from '../../domain/run/announcement.js';
import type { NotifySpec } from '../../domain/spec.js';
import { createSecretSource } from '../secrets/index.js';
import { createNotifier } from './index.js';
import { slackMessage } from './slack.js';

const SECRET = 'a-key-that-signs-announcements';
const TOKEN = 'T0000-B0000-tokenInTheUrl';
const ANNOUNCEMENT: Announcement = {
  version: 1,
  id: 'run/2',
  moment: 'gate-open',
  at: '2026-11-24T14:32:07.000Z',
  server: 'h100-01',
  site: 'fra1',
  cluster: 'fra1-a',
  workflowId: 'provision/h100-01',
  runId: 'run',
  phase: 'gpu-isolation',
  outcome: null,
  question: { id: 'reboot', digest: '7f3a-91c2', expiresAt: null, reminders: 0 },
  title: 'h100-01 (fra1, fra1-a): WAITS FOR APPROVAL',
  text: 'h100-01 (fra1, fra1-a): WAITS FOR APPROVAL\n\n+- GATE reboot\n| WHAT <!channel> & ```x```',
};

interface Call {
  readonly headers: IncomingMessage['headers'];
  readonly path: string;
  readonly body: string;
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** `status` null: never answers. */
async function receiver(status: number | null): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = [];
  const listening = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      calls.push({ headers: request.headers, path: request.url ?? '', body });
      if (status !== null) response.writeHead(status, { location: '/elsewhere' }).end('ok');
    });
  });
  server = listening;
  await new Promise<void>((resolve) => void listening.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/${TOKEN}`, calls };
}

function send(url: string, kind: NotifySpec['kind'], answerLimitMs?: number): Promise<void> {
  const secrets = createSecretSource({ env: { URL: url, SECRET } });
  const spec: NotifySpec = kind === 'slack' ? { kind, url: 'env:URL' } : { kind, url: 'env:URL', secret: 'env:SECRET' };
  const notifier = createNotifier({ secrets, ...(answerLimitMs === undefined ? {} : { answerLimitMs }) });
  return notifier.send(spec, ANNOUNCEMENT, new AbortController().signal);
}

describe('a webhook', () => {
  it('gets the announcement as JSON, and a signature of the time and exactly these bytes', async () => {
    const { url, calls } = await receiver(204);
    await send(url, 'webhook');
    const [call] = calls;
    expect(call?.path).toBe(`/${TOKEN}`);
    expect(call?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'gpu-provision' });
    expect(JSON.parse(call?.body ?? '')).toEqual(ANNOUNCEMENT);
    const [, seconds = '', hex] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(call?.headers['x-gpu-provision-signature'])) ?? [];
    expect(hex).toBe(createHmac('sha256', SECRET).update(`${seconds}.${call?.body}`).digest('hex'));
    expect(Math.abs(Date.now() / 1_000 - Number(seconds))).toBeLessThan(300);
  });

  it.each([
    [408, 'WebhookUnreachable'],
    [429, 'WebhookUnreachable'],
    [500, 'WebhookUnreachable'],
    [503, 'WebhookUnreachable'],
    [301, 'WebhookRefused'],
    [307, 'WebhookRefused'],
    [400, 'WebhookRefused'],
    [403, 'WebhookRefused'],
    [404, 'WebhookRefused'],
    [410, 'WebhookRefused'],
  ])('that answers %i is %s', async (status, type) => {
    const { url, calls } = await receiver(status);
    await expect(send(url, 'webhook')).rejects.toMatchObject({ type, message: `HTTP ${status}` });
    expect(calls).toHaveLength(1);
  });

  it('that does not answer, or is not there, is tried again later; the URL is in no message', async () => {
    const { url } = await receiver(null);
    const late = { type: 'WebhookUnreachable', message: 'no answer in time' };
    await expect(send(url, 'webhook', 50)).rejects.toMatchObject(late);
    const closed = server;
    closed?.closeAllConnections();
    await new Promise((resolve) => closed?.close(resolve));
    const gone = { type: 'WebhookUnreachable', message: 'no connection: ECONNREFUSED' };
    await expect(send(url, 'slack')).rejects.toMatchObject(gone);
  });

  it.each(['ftp://example.org/x', 'hooks.example.org', `https://user:${TOKEN}@example.org/`])(
    'is no URL, or one with a user (%s): refused, and not repeated',
    async (url) => {
      const refused = 'env:URL holds no URL with https:// or http:// and without user';
      await expect(send(url, 'slack')).rejects.toMatchObject({ type: 'WebhookRefused', message: refused });
    },
  );
});

describe('Slack', () => {
  it('gets title and text; nothing in it ends the block, links or calls a channel', async () => {
    const { url, calls } = await receiver(200);
    await send(url, 'slack');
    expect(JSON.parse(calls[0]?.body ?? '')).toEqual({
      text: "h100-01 (fra1, fra1-a): WAITS FOR APPROVAL\n```\n+- GATE reboot\n| WHAT &lt;!channel&gt; &amp; '''x'''\n```",
    });
    expect(calls[0]?.headers['x-gpu-provision-signature']).toBeUndefined();
  });

  it('gets one line where there is no more to say', () => {
    expect(slackMessage({ ...ANNOUNCEMENT, text: ANNOUNCEMENT.title })).toEqual({ text: ANNOUNCEMENT.title });
  });
});
