import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { PayloadCodec } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncryptionCodec } from './encryption-codec.js';
import { type CodecServer, startCodecServer } from './server.js';

const UI = 'http://127.0.0.1:8080';
const TOKEN = 'correct-horse-battery';
const base64 = (plain: string): string => Buffer.from(plain).toString('base64');
const PLAIN = { metadata: { encoding: base64('json/plain') }, data: base64('{"server":"h100-01"}') };

const bugs: unknown[] = [];
const servers: CodecServer[] = [];
let open: string;
let guarded: string;

const ours = new EncryptionCodec({ source: 'the test', keys: new Map([['a', randomBytes(32)]]) });

async function start(token: string | null, codec: PayloadCodec = ours): Promise<string> {
  const onBug = (error: unknown): void => void bugs.push(error);
  const server = await startCodecServer({ codec, host: '127.0.0.1', port: 0, origins: [UI], token, onBug });
  servers.push(server);
  return server.url;
}

beforeAll(async () => {
  open = await start(null);
  guarded = await start(TOKEN);
});
afterAll(async () => {
  for (const server of servers) await server.close();
});

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<[Response, unknown]> {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method: 'POST',
    body: sent,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
  return [response, await response.json()];
}

describe('the codec server', () => {
  it('encodes and decodes as the UI asks, and tells its page that it may read the answer', async () => {
    const asUi = { Origin: UI, 'X-Namespace': 'default' };
    const [encoded, hidden] = await post(`${open}/encode`, { payloads: [PLAIN, PLAIN] }, asUi);
    expect(encoded.status).toBe(200);
    expect(encoded.headers.get('access-control-allow-origin')).toBe(UI);
    expect(JSON.stringify(hidden)).toContain(base64('binary/encrypted'));
    expect(JSON.stringify(hidden)).not.toContain(PLAIN.data);
    const [decoded, shown] = await post(`${open}/decode`, hidden, asUi);
    expect([decoded.status, shown]).toEqual([200, { payloads: [PLAIN, PLAIN] }]);
    expect(decoded.headers.get('cache-control')).toBe('no-store');
  });

  it('answers programs, which have no origin, with what was never encrypted as it is', async () => {
    const [response, body] = await post(`${open}/decode`, { payloads: [PLAIN, {}] });
    expect([response.status, body]).toEqual([200, { payloads: [PLAIN, { metadata: {}, data: '' }] }]);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('lets the page of the UI ask, also when a token is wanted, since a browser sends none yet', async () => {
    for (const url of [open, guarded]) {
      const response = await fetch(`${url}/decode`, {
        method: 'OPTIONS',
        headers: { Origin: UI, 'Access-Control-Request-Method': 'POST' },
      });
      expect(response.status).toBe(204);
      expect(response.headers.get('access-control-allow-origin')).toBe(UI);
      expect(response.headers.get('access-control-allow-methods')).toBe('POST');
      expect(response.headers.get('access-control-allow-headers')?.toLowerCase().split(', ')).toEqual([
        'content-type',
        'x-namespace',
        'authorization',
        'authorization-extras',
      ]);
      expect(response.headers.get('vary')).toBe('Origin');
    }
  });

  it.each(['http://127.0.0.1:8081', 'https://127.0.0.1:8080', 'http://127.0.0.1:8080.example', 'null'])(
    'does nothing for pages of %s, whichever way they ask',
    async (origin) => {
      const [response, body] = await post(`${open}/decode`, { payloads: [PLAIN] }, { Origin: origin });
      expect(response.status).toBe(403);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect(JSON.stringify(body)).not.toContain(PLAIN.data);
      const preflight = await fetch(`${open}/decode`, { method: 'OPTIONS', headers: { Origin: origin } });
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    },
  );

  it.each<[string | null, number]>([
    [null, 401],
    [TOKEN, 401],
    [`Bearer ${TOKEN}x`, 401],
    ['Bearer ', 401],
    [`Bearer ${TOKEN}`, 200],
  ])('with a token wanted, Authorization %s is answered %d', async (authorization, status) => {
    const headers = authorization === null ? {} : { Authorization: authorization };
    expect((await post(`${guarded}/decode`, { payloads: [PLAIN] }, headers))[0].status).toBe(status);
  });

  it.each<[string, string, number, string]>([
    ['/decode', '{', 400, 'the body is wrong at its beginning; expected {"payloads":['],
    ['/decode', '{"payloads":[{"data":"%%"}]}', 400, 'the body is wrong at payloads.0.data'],
    ['/decode', '[]', 400, 'the body is wrong'],
    ['/elsewhere', '{}', 404, 'there is no /elsewhere; expected POST /decode or POST /encode'],
  ])('%s with %s is answered %d in JSON', async (path, body, status, message) => {
    const [response, answer] = await post(`${open}${path}`, body);
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/json']);
    expect(JSON.stringify(answer)).toContain(JSON.stringify(message).slice(1, -1));
  });

  it('says which key is missing', async () => {
    const foreign = { encoding: base64('binary/encrypted'), 'encryption-key-id': base64('2026-05') };
    const [response, answer] = await post(`${open}/decode`, { payloads: [{ metadata: foreign, data: base64('x') }] });
    expect(response.status).toBe(422);
    expect(answer).toMatchObject({ message: expect.stringContaining('the key "2026-05", which is not in the test') });
  });

  it('tells the caller nothing of a bug, and us all of it', async () => {
    const bug = new Error('about h100-01');
    const url = await start(null, { encode: () => Promise.reject(bug), decode: () => Promise.reject(bug) });
    const [response, answer] = await post(`${url}/decode`, { payloads: [PLAIN] });
    expect([response.status, answer, bugs]).toEqual([500, { message: 'this is a bug of gpu-provision' }, [bug]]);
  });

  it('answers nothing but POST', async () => {
    const response = await fetch(`${open}/decode`);
    expect([response.status, await response.json()]).toEqual([405, { message: 'found GET /decode; expected POST' }]);
  });

  it('stops reading a body that is too large', async () => {
    const { hostname, port } = new URL(open);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('POST /decode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n');
    const chunk = Buffer.alloc(1024 * 1024, 'a');
    for (let sent = 0; sent < 9; sent += 1) socket.write(chunk);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 .*the body is larger than 8 MiB/s);
  });
});
