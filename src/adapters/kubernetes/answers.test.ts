/**
 * What an API server says or fails to say, played by a small HTTPS server where the real one cannot be made to do it: the failure a
 * person is told, and whether it is tried again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kubeconfigFor, createPki, type Pki } from '../../../lab/cluster/api/pki.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { FAILURES, type FailureType } from '../../domain/run/failures.js';
import type { Cluster, ClusterProvider } from '../../ports/cluster.js';
import { ProvisionError } from '../../ports/failure.js';
import { createClusterProvider } from './index.js';

const SPEC = serverSpec();
/** Longer than an answer takes on a busy machine, and short enough to be waited for. */
const LIMIT_MS = 2_000;
const PODS = { apiVersion: 'v1', kind: 'Pod' };
const POD = { ...PODS, namespace: 'default', name: 'a' };
const HTML = '<html><body>Gateway</body></html>';

let pki: Pki;
let other: Pki;
beforeAll(async () => {
  [pki, other] = await Promise.all([createPki(['127.0.0.1']), createPki(['127.0.0.1'])]);
});

/** What the server answers to all but discovery. */
type Answer = (response: ServerResponse, request: IncomingMessage) => void;
let answer: Answer;
let server: Server;
let port = 0;
beforeAll(async () => {
  server = createServer({ key: pki.serverKey, cert: pki.serverCert }, (request, response) => {
    if (request.url !== '/api/v1') return answer(response, request);
    const resources = [{ name: 'pods', kind: 'Pod', namespaced: true }];
    return response.end(JSON.stringify({ kind: 'APIResourceList', groupVersion: 'v1', resources }));
  });
  port = await listening(server);
});
afterAll(() => void server.close());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Reach {
  readonly port: () => number;
  readonly kubeconfig: () => string;
  readonly streams: Duplex[];
}

function provider({
  port: to = () => port,
  kubeconfig = () => kubeconfigFor(pki, 'https://127.0.0.1:6443'),
  streams = [],
}: Partial<Reach> = {}): ClusterProvider {
  const clusters = createClusterProvider({
    limits: { requestTimeoutMs: LIMIT_MS },
    hosts: {
      get: () => ({
        exec: async () => ({ exitCode: 0, signal: null, stdout: kubeconfig(), stderr: '', truncated: false }),
        execFresh: () => Promise.reject(new Error('not used')),
        openStream: () =>
          new Promise((resolve, reject) => {
            const socket = connect(to(), '127.0.0.1', () => resolve(socket)).once('error', reject);
            streams.push(socket);
          }),
      }),
      close: async () => {},
    },
  });
  closing.push(() => clusters.close());
  return clusters;
}

async function listening(made: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return (made.address() as AddressInfo).port;
}

async function failure(call: Promise<unknown>): Promise<ProvisionError> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ProvisionError)) throw error;
  return error;
}

const status =
  (code: number, reason: string, message: string, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response
      .writeHead(code, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify({ kind: 'Status', status: 'Failure', reason, message, code }));
const text =
  (code: number, body: string, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end(body);

describe('an answer', () => {
  const apply = (cluster: Cluster): Promise<unknown> =>
    cluster.apply({ ...PODS, metadata: { namespace: 'default', name: 'a' } });
  const get = (cluster: Cluster): Promise<unknown> => cluster.get(POD);

  it.each<[string, Answer, (cluster: Cluster) => Promise<unknown>, FailureType, RegExp]>([
    [
      'too many requests',
      text(429, 'Too many requests, please try again later.', { 'retry-after': '7' }),
      get,
      'ClusterUnreachable',
      /Pod default\/a: Too many requests.*\(429, asks to wait 7 s\) \(since 20/,
    ],
    ['500', status(500, 'InternalError', 'etcd: leader changed'), get, 'ClusterUnreachable', /etcd: leader changed/],
    [
      '500 for a webhook whose server is still to come',
      status(500, 'InternalError', 'failed calling webhook "a.example": connection refused'),
      apply,
      'NotReadyYet',
      /failed calling webhook/,
    ],
    ['503', status(503, 'ServiceUnavailable', 'apiserver not ready'), get, 'ClusterUnreachable', /not ready \(503/],
    ['504', status(504, 'Timeout', 'request did not complete'), apply, 'ClusterUnreachable', /did not complete/],
    ['502 of a proxy', text(502, HTML), get, 'ClusterUnreachable', /Gateway.*\(502\)/],
    ['404 of a proxy', text(404, HTML), get, 'ClusterUnreachable', /Gateway.*\(404\)/],
    ['a redirection', text(302, '', { location: 'https://login.example/' }), get, 'ClusterUnreachable', /\(302\)/],
    ['HTML with 200', text(200, HTML), get, 'ClusterUnreachable', /not what an API says/],
    ['half an object', text(200, '{"kind":"Pod","apiVers'), get, 'ClusterUnreachable', /not what an API says/],
    ['another object', text(200, '{"kind":"Pod"}'), get, 'ClusterUnreachable', /not what an API says/],
    ['JSON that is no object', text(200, 'null'), get, 'ClusterUnreachable', /not what an API says/],
    [
      'a body that breaks off',
      (response) => response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy()),
      get,
      'ClusterUnreachable',
      /does not answer: aborted/,
    ],
    [
      'a body that never ends',
      (response) => response.writeHead(200).write('{'),
      get,
      'ClusterUnreachable',
      /no answer within 2 s/,
    ],
    ['nothing at all', () => {}, apply, 'ClusterUnreachable', /no answer within 2 s/],
    [
      '403 of a role',
      status(403, 'Forbidden', 'pods "a" is forbidden: User "x" cannot get resource "pods"'),
      get,
      'ClusterRefused',
      /cannot get resource/,
    ],
    [
      '403 of a namespace that goes away',
      status(403, 'Forbidden', 'unable to create new content in namespace a because it is being terminated'),
      apply,
      'NotReadyYet',
      /being terminated/,
    ],
    [
      '403 of an API server that has just begun',
      status(403, 'Forbidden', 'configmaps "a" is forbidden: not yet ready to handle request'),
      apply,
      'NotReadyYet',
      /not yet ready/,
    ],
    ['401', status(401, 'Unauthorized', 'Unauthorized'), get, 'ClusterUnreachable', /h100-01:\/etc\/rancher.*\(401\)/],
    ['422', status(422, 'Invalid', 'spec.containers: Required value'), apply, 'ClusterConflict', /Required value/],
    ['409', status(409, 'Conflict', 'the object has been modified'), apply, 'NotReadyYet', /has been modified/],
    ['404', status(404, 'NotFound', 'namespaces "default" not found'), apply, 'NotReadyYet', /not found/],
  ])('%s', async (_what, said, ask, type, message) => {
    answer = said;
    const clusters = provider();
    const error = await failure(clusters.host(SPEC).then(ask));
    expect(error).toMatchObject({ type, message: expect.stringMatching(message) });
    answer = text(200, JSON.stringify({ ...PODS, metadata: { name: 'a' } }));
    await expect(clusters.host(SPEC).then(ask)).resolves.toMatchObject(PODS);
  });

  it('is not remembered as the list of kinds of a group', async () => {
    const crate = { apiVersion: 'lab.example/v1', kind: 'Crate', namespace: 'default', name: 'a' };
    const cluster = await provider().host(SPEC);
    for (const wrong of [text(200, '{"kind":1}'), text(404, HTML)]) {
      answer = wrong;
      expect(await failure(cluster.get(crate))).toMatchObject({ type: 'ClusterUnreachable' });
    }
    answer = text(404, '404 page not found\n');
    expect(await cluster.get(crate)).toBeNull();
    answer = (response, { url }) =>
      response.end(
        JSON.stringify(
          url === '/apis/lab.example/v1'
            ? { kind: 'APIResourceList', resources: [{ name: 'crates', kind: 'Crate', namespaced: true }] }
            : { apiVersion: 'lab.example/v1', kind: 'Crate', metadata: { name: 'a' } },
        ),
      );
    expect(await cluster.get(crate)).toMatchObject({ kind: 'Crate' });
  });
});

describe('since when an API gives no answer', () => {
  it('is said until it answers, a refusal too', async () => {
    const clusters = provider();
    const since = async (): Promise<unknown> =>
      (await failure(clusters.host(SPEC).then((cluster) => cluster.get(POD)))).details['since'];
    answer = (response) => response.destroy();
    const first = await since();
    expect(Date.parse(String(first))).toBeGreaterThan(Date.now() - 60_000);
    answer = text(503, 'starting');
    expect(await since()).toBe(first);
    answer = status(403, 'Forbidden', 'no');
    expect(await since()).toBeUndefined();
    answer = text(503, 'starting');
    const second = await since();
    expect(second).toMatch(/^20/);
    expect(second).not.toBe(first);
  });
});

describe('a list in pages', () => {
  const page = (names: string[], token?: string): string =>
    JSON.stringify({
      kind: 'PodList',
      metadata: token === undefined ? {} : { continue: token },
      items: names.map((name) => ({ metadata: { name } })),
    });
  const asked: string[] = [];
  const tokenOf = ({ url = '' }: IncomingMessage): string | null => {
    asked.push(url);
    return new URL(url, 'https://a').searchParams.get('continue');
  };
  const names = async (): Promise<readonly string[]> => {
    asked.length = 0;
    const pods = await (await provider().host(SPEC)).list({ ...PODS, namespace: 'default', labelSelector: 'a=b' });
    return pods.map(({ metadata }) => metadata.name);
  };

  it('is empty when the API says null', async () => {
    answer = text(200, JSON.stringify({ kind: 'PodList', metadata: {}, items: null }));
    expect(await names()).toEqual([]);
  });

  it('is read to its end', async () => {
    answer = (response, request) => {
      const token = tokenOf(request);
      response.end(token === null ? page(['a', 'b'], 't1') : token === 't1' ? page(['c'], 't2') : page(['d'], ''));
    };
    expect(await names()).toEqual(['a', 'b', 'c', 'd']);
    expect(asked.every((url) => url.includes('limit=500') && url.includes('labelSelector=a%3Db'))).toBe(true);
  });

  it('begins anew when the rest of it has expired', async () => {
    let expired = false;
    answer = (response, request) => {
      if (tokenOf(request) === null) return void response.end(page([expired ? 'new' : 'old'], 't'));
      if (expired) return void response.end(page(['last']));
      expired = true;
      return status(410, 'Expired', 'The provided continue parameter is too old')(response, request);
    };
    expect(await names()).toEqual(['new', 'last']);
    expect(asked).toHaveLength(4);
  });

  it('that expires again and again is for a later attempt', async () => {
    answer = (response, request) =>
      tokenOf(request) === null
        ? void response.end(page(['a'], 't'))
        : status(410, 'Expired', 'The provided continue parameter is too old')(response, request);
    expect(await failure(names())).toMatchObject({ type: 'NotReadyYet', message: expect.stringContaining('too old') });
    expect(asked).toHaveLength(6);
  });
});

describe('a server that accepts connections and says nothing', () => {
  it('is given up within the limit, and nothing of it is kept', async () => {
    const silent = createTcpServer(() => {});
    const to = await listening(silent);
    closing.push(() => silent.close());
    const streams: Duplex[] = [];
    const clusters = provider({ port: () => to, streams });
    const began = Date.now();
    const errors = await Promise.all(
      [1, 2, 3].map(async () => failure(clusters.host(SPEC).then((cluster) => cluster.raw('/readyz')))),
    );
    expect(Date.now() - began).toBeLessThan(5 * LIMIT_MS);
    expect(errors.map(({ type }) => type)).toEqual(Array.from({ length: 3 }, () => 'ClusterUnreachable'));
    expect(streams.length).toBeGreaterThan(0);
    await expect.poll(() => streams.filter((stream) => !stream.destroyed)).toEqual([]);
  });
});

describe('another installation behind the same address', () => {
  const ready = text(200, 'ok');

  it('is not talked to with the old kubeconfig, and works with the one it wrote', async () => {
    answer = ready;
    const again = createServer({ key: other.serverKey, cert: other.serverCert }, (_request, response) =>
      response.end('ok'),
    );
    const newPort = await listening(again);
    closing.push(() => again.close());
    let [to, kubeconfig] = [port, kubeconfigFor(pki, 'https://127.0.0.1:6443')];
    const streams: Duplex[] = [];
    const clusters = provider({ port: () => to, kubeconfig: () => kubeconfig, streams });
    const raw = (): Promise<string> => clusters.host(SPEC).then((cluster) => cluster.raw('/readyz'));
    expect(await raw()).toBe('ok');
    server.closeAllConnections();
    await expect.poll(() => streams.map(({ destroyed }) => destroyed)).toEqual([true]);
    to = newPort;
    const error = await failure(raw());
    expect(error.message).toMatch(/certificate that its kubeconfig does not vouch for \(.+\): another cluster/);
    expect(FAILURES[error.type].retryable).toBe(true);
    kubeconfig = kubeconfigFor(other, 'https://127.0.0.1:6443');
    expect(await raw()).toBe('ok');
  });

  it('is asked by a client that failures of the one before do not touch', async () => {
    let reads = 0;
    const clusters = provider({
      kubeconfig: () => {
        reads += 1;
        return kubeconfigFor(pki, 'https://127.0.0.1:6443');
      },
    });
    let held = 0;
    answer = (_response, { socket }) => {
      held += 1;
      if (held === 2) socket.destroy();
    };
    const old = await clusters.host(SPEC);
    const [slow, broken] = [failure(old.raw('/slow')), failure(old.raw('/broken'))];
    await Promise.race([slow, broken]);
    answer = ready;
    const next = await clusters.host(SPEC);
    await Promise.all([slow, broken]);
    expect(await clusters.host(SPEC)).toBe(next);
    expect(await next.raw('/readyz')).toBe('ok');
    expect(reads).toBe(2);
  });

  it('is asked with the new credentials after it refused the old ones', async () => {
    let reads = 0;
    const clusters = provider({
      kubeconfig: () => {
        reads += 1;
        return kubeconfigFor(pki, 'https://127.0.0.1:6443');
      },
    });
    const raw = (): Promise<string> => clusters.host(SPEC).then((cluster) => cluster.raw('/readyz'));
    answer = status(401, 'Unauthorized', 'Unauthorized');
    expect((await failure(raw())).type).toBe('ClusterUnreachable');
    answer = ready;
    expect(await raw()).toBe('ok');
    expect(await raw()).toBe('ok');
    expect(reads).toBe(2);
  });
});
