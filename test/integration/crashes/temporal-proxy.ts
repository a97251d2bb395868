/**
 * Between a worker and its Temporal server, so that a call can be held on the wire: what a worker has done and the server does not know yet. gRPC is
 * HTTP/2, and every call of Temporal is one request and one answer.
 * @module
 */
import { once } from 'node:events';
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A byte that says whether the message is compressed, and four with its length. */
const GRPC_PREFIX_BYTES = 5;

interface Rule {
  /** `RespondActivityTaskCompleted` */
  readonly method: string;
  /** All of them occur in the request. */
  readonly words: readonly string[];
  readonly at: () => Promise<void>;
}

export class TemporalProxy {
  private readonly rules = new Set<Rule>();
  private readonly sessions = new Set<ServerHttp2Session>();
  private upstream: ClientHttp2Session | null = null;

  private constructor(
    private readonly server: Http2Server,
    private readonly target: string,
  ) {
    server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined).once('close', () => this.sessions.delete(session));
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      void this.pass(stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
  }

  static async start(target: string): Promise<TemporalProxy> {
    const server = createServer();
    const proxy = new TemporalProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** `127.0.0.1:7233` */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /**
   * Such requests wait before they reach the server, until the first of them may go on: a call that is not answered is repeated, and so is a
   * task. Whoever sent it may be gone by then: it is dropped.
   */
  hold(method: string, words: readonly string[], at: () => Promise<void>): void {
    this.rules.add({ method, words, at });
  }

  async close(): Promise<void> {
    this.upstream?.destroy();
    for (const session of this.sessions) session.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private async pass(down: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of down) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const rule = this.ruleFor(String(headers[':path']), body);
    if (rule !== undefined) {
      await rule.at();
      this.rules.delete(rule);
    }
    if (down.destroyed) return;
    const up = this.session().request(headers);
    down.once('close', () => up.close(constants.NGHTTP2_CANCEL));
    up.once('error', () => down.close(constants.NGHTTP2_REFUSED_STREAM));
    let trailers: IncomingHttpHeaders = {};
    up.once('trailers', (received: IncomingHttpHeaders) => (trailers = received));
    up.once('response', (received, flags) => {
      if (down.destroyed) return;
      const only = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      down.respond(received, only ? { endStream: true } : { waitForTrailers: true });
      if (only) return;
      down.once('wantTrailers', () => down.sendTrailers(trailers));
      up.pipe(down);
    });
    up.end(body);
  }

  private ruleFor(path: string, body: Buffer): Rule | undefined {
    if (this.rules.size === 0 || body.length < GRPC_PREFIX_BYTES) return undefined;
    const message = body.subarray(GRPC_PREFIX_BYTES);
    const text = (body[0] === 1 ? gunzipSync(message) : message).toString('latin1');
    return [...this.rules].find(
      ({ method, words }) => path.endsWith(`/${method}`) && words.every((word) => text.includes(word)),
    );
  }

  private session(): ClientHttp2Session {
    if (this.upstream === null || this.upstream.destroyed || this.upstream.closed) {
      this.upstream = connect(`http://${this.target}`);
      this.upstream.on('error', () => undefined);
    }
    return this.upstream;
  }
}
