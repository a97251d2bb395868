/**
 * HTTPS to one BMC, whose self-signed certificate is pinned by its fingerprint.
 * @module
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { inSpan } from '../../../tracing/span.js';

/** A page of an event log is far smaller. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

export interface HttpsRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpsReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class PinnedHttps {
  private readonly host: string;
  private readonly port: number;

  /** `fingerprint`: `sha256:` and 64 hex digits; null trusts the CAs of the worker's system. */
  constructor(
    base: URL,
    private readonly fingerprint: string | null,
    private readonly answerLimitMs: number,
  ) {
    this.host = base.hostname.replace(/^\[|\]$/g, '');
    this.port = base.port === '' ? 443 : Number(base.port);
  }

  /** Rejects with the error of the network or the certificate, or with the signal's reason. Any status is a reply. */
  send(asked: HttpsRequest): Promise<HttpsReply> {
    const { method, path } = asked;
    const place = { 'server.address': this.host, 'server.port': this.port };
    return inSpan(
      `redfish ${method}`,
      { ...place, 'http.request.method': method, 'url.path': path.split('?')[0] },
      async (note) => {
        const reply = await this.exchange(asked);
        note({ 'http.response.status_code': reply.status });
        return reply;
      },
    );
  }

  private async exchange({ method, path, headers = {}, body, signal }: HttpsRequest): Promise<HttpsReply> {
    signal?.throwIfAborted();
    const payload = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const late = AbortSignal.timeout(this.answerLimitMs);
    const either = signal ? AbortSignal.any([signal, late]) : late;
    const options: RequestOptions = {
      method,
      path,
      host: this.host,
      port: this.port,
      signal: either,
      // Used only where no agent is named; one connection a request, since a BMC is asked rarely.
      createConnection: (_options, ready) => this.connect(either, ready),
      headers: {
        Accept: 'application/json',
        'OData-Version': '4.0',
        ...(payload ? { 'Content-Type': 'application/json', 'Content-Length': String(payload.length) } : {}),
        ...headers,
      },
    };
    try {
      return await new Promise<HttpsReply>((resolve, reject) => {
        const sending = request(options, (reply) => {
          readAll(reply).then(
            (text) => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text }),
            reject,
          );
        });
        sending.on('error', reject);
        sending.end(payload);
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw late.aborted ? new Error(`no answer within ${this.answerLimitMs / 1000} s`) : error;
    }
  }

  /** Hands the socket over only after the certificate was checked: no byte of a request reaches a stranger. */
  private connect(signal: AbortSignal, ready: (error: Error | null, socket: Duplex) => void): undefined {
    const socket = connect({
      host: this.host,
      port: this.port,
      rejectUnauthorized: this.fingerprint === null,
      ...(isIP(this.host) === 0 ? { servername: this.host } : {}),
    });
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      ready(error, socket);
    };
    // Without a socket the request does not hear of its signal.
    const abort = (): void => {
      socket.destroy();
      fail(new Error('aborted while connecting'));
    };
    signal.addEventListener('abort', abort);
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', abort);
      socket.removeListener('error', fail);
      const shown = `sha256:${socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()}`;
      if (this.fingerprint === null || shown === this.fingerprint.toLowerCase()) {
        ready(null, socket);
        return;
      }
      socket.destroy();
      ready(new Error(`it shows the certificate ${shown}, pinned is ${this.fingerprint}`), socket);
    });
  }
}

async function readAll(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
