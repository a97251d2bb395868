/**
 * The HTTPS side of a cluster: TLS, authentication, and requests handed to what answers them.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text as readText } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { parse as parseYaml } from 'yaml';
import { route, statusOf, type Answer, type Call } from './call.js';
import { discovery } from './discovery.js';
import { ApiError, badRequest } from './object.js';
import type { Pki } from './pki.js';
import { onResource, type ResourceOptions } from './resources.js';
import { watch } from './watch.js';

export interface ServerOptions extends ResourceOptions {
  readonly pki: Pki;
  readonly version: string;
}

export interface ApiServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers on 127.0.0.1, on a port of the system's choice. */
export async function startApiServer(options: ServerOptions): Promise<ApiServer> {
  const { pki } = options;
  const server = createServer(
    { cert: pki.serverCert, key: pki.serverKey, ca: pki.ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => void respond(options, request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no TCP port');
  return {
    port: address.port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const socket = request.socket;
    if (!(socket instanceof TLSSocket) || !socket.authorized) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
    const url = new URL(request.url ?? '/', 'https://api');
    const call: Call = {
      method: request.method ?? 'GET',
      path: url.pathname
        .split('/')
        .filter((part) => part !== '')
        .map(decodeURIComponent),
      query: url.searchParams,
      contentType: (request.headers['content-type'] ?? '').split(';')[0] ?? '',
      userAgent: (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown',
      body: () => readBody(request),
    };
    if (call.method === 'GET' && call.query.get('watch') === 'true') return watch(options.store, call, response);
    send(response, await answer(options, call));
  } catch (error) {
    const known = error instanceof ApiError ? error : new ApiError(500, 'InternalError', String(error));
    send(response, { code: known.code, body: statusOf(known) });
  }
}

function send(response: ServerResponse, { code, body }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(code, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const body = await readText(request);
  try {
    // YAML reads JSON too, and server-side apply sends either.
    return parseYaml(body);
  } catch (error) {
    throw badRequest(`the body cannot be parsed: ${String(error)}`);
  }
}

async function answer(options: ServerOptions, call: Call): Promise<Answer> {
  const [root, ...rest] = call.path;
  if (root === 'readyz' || root === 'livez' || root === 'healthz') return { code: 200, body: 'ok' };
  if (root === 'version') return { code: 200, body: { gitVersion: options.version, platform: 'linux/amd64' } };
  if (root === 'api' || root === 'apis') {
    const found = discovery(options.store, root, rest);
    if (found !== null) return { code: 200, body: found };
    return onResource(options, call, route(options.store, root, rest));
  }
  throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
}
