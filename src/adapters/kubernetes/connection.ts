/**
 * HTTPS to a Kubernetes API through any byte stream. `@kubernetes/client-node` would be the library for this, but its 2.x needs Node 22
 * (undici 8) and offers no way to bring one's own connection; what is needed of it is one request function.
 * @module
 */
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { ProvisionError } from '../../ports/failure.js';
import type { Kubeconfig } from './kubeconfig.js';

/** One request; a single-node API answers in milliseconds, and in seconds while it restarts. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Connections kept; activities of one server run a few at a time, and each is a channel of the host's SSH connection. */
const MAX_CONNECTIONS = 4;
/** An unused channel is given back after this long. */
const IDLE_TIMEOUT_MS = 60_000;
const USER_AGENT = 'gpu-provision';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface ApiReply {
  readonly code: number;
  readonly body: string;
}

export class Connection {
  private readonly agent: Agent;

  constructor(
    private readonly config: Kubeconfig,
    /** Gives a new stream to the API; the certificate must be the one for the kubeconfig's host. */
    open: () => Promise<Duplex>,
    /** For messages: `the API of h100-01`. */
    private readonly name: string,
  ) {
    this.agent = new StreamAgent(config, open);
  }

  /** Any HTTP code is returned. Throws ClusterUnreachable when there is no answer, and what opening the stream throws. */
  async send(call: ApiRequest): Promise<ApiReply> {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    try {
      return await this.exchange(call, body);
    } catch (error) {
      if (error instanceof ProvisionError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new ProvisionError('ClusterUnreachable', `${this.name} does not answer: ${why}`, {}, { cause: error });
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private exchange(call: ApiRequest, body: string | undefined): Promise<ApiReply> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.agent,
          host: this.config.host,
          port: this.config.port,
          method: call.method,
          path: call.path,
          headers: {
            accept: 'application/json',
            'user-agent': USER_AGENT,
            ...(this.config.token === null ? {} : { authorization: `Bearer ${this.config.token}` }),
            ...(body === undefined
              ? {}
              : {
                  'content-type': call.contentType ?? 'application/json',
                  'content-length': String(Buffer.byteLength(body)),
                }),
          },
        },
        (incoming) => {
          readText(incoming).then((text) => resolve({ code: incoming.statusCode ?? 0, body: text }), reject);
        },
      );
      // Covers connecting too, unlike the request's own timeout, which counts silence on a socket that is there.
      const limit = setTimeout(
        () => outgoing.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS / 1000} s`)),
        REQUEST_TIMEOUT_MS,
      );
      outgoing.on('close', () => clearTimeout(limit));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

/** Does TLS over the streams it is given. Node's types know no asynchronous createConnection, its documentation does. */
class StreamAgent extends Agent {
  constructor(
    private readonly config: Kubeconfig,
    private readonly open: () => Promise<Duplex>,
  ) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS, timeout: IDLE_TIMEOUT_MS });
  }

  override createConnection(_options: unknown, done: (error: Error | null, stream?: Duplex) => void): undefined {
    const { ca, clientCert, clientKey, host } = this.config;
    this.open().then(
      (stream) => {
        const socket = connect({
          socket: stream,
          host,
          ca,
          ...(clientCert === null || clientKey === null ? {} : { cert: clientCert, key: clientKey }),
          // An address is no server name; the certificate is then checked against `host`.
          ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
        });
        socket.once('secureConnect', () => done(null, socket));
        socket.once('error', done);
        stream.once('error', (error: Error) => socket.destroy(error));
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
    return undefined;
  }
}
