/**
 * The codec server: decrypts payloads for people who look at runs in Temporal's UI or with its CLI, and encrypts the signals that they send. Both
 * ask it for `POST /decode` and `POST /encode` with `{"payloads": […]}`, payloads as protobuf's JSON. Source: docs.temporal.io/codec-server.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Payload, PayloadCodec } from '@temporalio/common';
import * as z from 'zod';
import { CodecError } from './key-ring.js';

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  readonly host: string;
  readonly port: number;
  /** Of the pages that may ask, `https://ui.example.org`; programs without an origin may too. */
  readonly origins: readonly string[];
  /** Wanted as `Authorization: Bearer …`; null asks for none. */
  readonly token: string | null;
  /** What is no fault of the caller; it is told nothing else. */
  readonly onBug: (error: unknown) => void;
}

export interface CodecServer {
  /** `http://127.0.0.1:8081` */
  readonly url: string;
  close(): Promise<void>;
}

/** All payloads of one gRPC message (4 MiB), in base64. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** A browser asks again whether it may after this long. */
const PREFLIGHT_SECONDS = 600;
/** What the UI sends besides the usual. */
const REQUEST_HEADERS = 'Content-Type, X-Namespace, Authorization, Authorization-Extras';

const BODY = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), z.base64()).default({}), data: z.base64().default('') })),
});

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Resolves when it listens. */
export async function startCodecServer(options: CodecServerOptions): Promise<CodecServer> {
  const server = createServer((request, response) => void handle(options, request, response));
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function handle(options: CodecServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { origin } = request.headers;
  // Also what is refused differs by origin, for caches in between.
  response.setHeader('Vary', 'Origin');
  try {
    if (origin !== undefined) {
      if (!options.origins.includes(origin)) {
        throw new Refusal(
          403,
          `pages of ${origin} may not ask; expected one of --origin: ${options.origins.join(', ')}`,
        );
      }
      response.setHeader('Access-Control-Allow-Origin', origin);
    }
    if (request.method === 'OPTIONS') return preflight(response);
    const answer = await transformed(options, request);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end(JSON.stringify(answer));
  } catch (error) {
    const [status, message] = explained(error, options);
    // What is still to come of a body that is too large is not waited for.
    response.writeHead(status, {
      'Content-Type': 'application/json',
      ...(status === 413 ? { Connection: 'close' } : {}),
    });
    response.end(JSON.stringify({ message }));
  }
}

/** Browsers ask first; the token comes only with the request itself. */
function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
  });
  response.end();
}

async function transformed({ codec, token }: CodecServerOptions, request: IncomingMessage): Promise<unknown> {
  const { pathname } = new URL(request.url ?? '/', 'http://codec.invalid');
  if (pathname !== '/encode' && pathname !== '/decode')
    throw new Refusal(404, `there is no ${pathname}; expected POST /decode or POST /encode`);
  if (request.method !== 'POST') throw new Refusal(405, `found ${request.method} ${pathname}; expected POST`);
  if (token !== null && !isBearer(request.headers.authorization, token)) {
    throw new Refusal(
      401,
      'the header Authorization does not hold the token of this codec server; expected Bearer TOKEN',
    );
  }
  const body = BODY.safeParse(jsonOf(await bodyOf(request)));
  if (!body.success) {
    const where = body.error.issues[0]?.path.join('.');
    throw new Refusal(
      400,
      `the body is wrong at ${where || 'its beginning'}; expected {"payloads":[{"metadata":{…},"data":…}]}, values in base64`,
    );
  }
  const payloads = body.data.payloads.map(fromJson);
  const answer = await (pathname === '/encode' ? codec.encode(payloads) : codec.decode(payloads));
  return { payloads: answer.map(toJson) };
}

/** Compared by digest: neither the length nor the time tells anything about the token. */
function isBearer(header: string | undefined, token: string): boolean {
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Refusal(413, `the body is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromJson({ metadata, data }: z.infer<typeof BODY>['payloads'][number]): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): object {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data ?? []).toString('base64') };
}

function explained(error: unknown, { onBug }: CodecServerOptions): readonly [status: number, message: string] {
  if (error instanceof Refusal) return [error.status, error.message];
  // Its payloads are the client's; the keys are ours.
  if (error instanceof CodecError) return [422, error.message];
  onBug(error);
  return [500, 'this is a bug of gpu-provision'];
}
