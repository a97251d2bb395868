/**
 * The library's HTTP through byte streams. Its own, node-fetch, would lose why a stream could not be opened, which decides what happens
 * next; and connections are kept, since a TLS handshake for each request triples the work of a run that mostly asks and waits.
 * @module
 */
import { Agent, request as startRequest, type AgentOptions } from 'node:https';
import type { ClientRequestArgs, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions } from 'node:tls';
import {
  ResponseContext,
  SelfDecodingBody,
  type PromiseHttpLibrary,
  type RequestContext,
} from '@kubernetes/client-node';
import { ProvisionError } from '../../ports/failure.js';
import { inSpan } from '../../tracing/span.js';

/** Connections kept; activities of one server run a few at a time, and each is a channel of the host's SSH connection. */
const MAX_CONNECTIONS = 4;
/** An unused channel is given back after this long. */
const IDLE_TIMEOUT_MS = 60_000;
/** Pods and Nodes with all their fields are a few MiB; the API of a host that lies could send for as long as it may take. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const USER_AGENT = 'gpu-provision';

export class StreamHttp implements PromiseHttpLibrary {
  private agent: StreamAgent | undefined;

  constructor(
    /** Gives a new stream to the API, or throws. */
    private readonly open: () => Promise<Duplex>,
    /** For messages: `the API of h100-01`. */
    private readonly name: string,
    /** For one request with its answer. */
    private readonly timeoutMs: number,
    /** Called when the API cannot be used as it was: its address and credentials are not to be trusted any more. */
    private readonly onBroken: () => void,
  ) {}

  /** Any HTTP code is returned. Throws ClusterUnreachable when there is no answer, and the ProvisionError of a stream that did not open. */
  send(request: RequestContext): Promise<ResponseContext> {
    const method = request.getHttpMethod();
    const { hostname, pathname } = new URL(request.getUrl());
    const known = { 'server.address': hostname, 'http.request.method': method, 'url.path': pathname };
    return inSpan(`kubernetes ${method}`, known, async (note) => {
      const response = await this.answered(request);
      note({ 'http.response.status_code': response.httpStatusCode });
      return response;
    });
  }

  private async answered(request: RequestContext): Promise<ResponseContext> {
    try {
      const response = await this.exchange(request);
      if (response.httpStatusCode === 401) this.onBroken();
      return response;
    } catch (error) {
      this.onBroken();
      if (error instanceof ProvisionError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new ProvisionError('ClusterUnreachable', `${this.name} does not answer: ${why}`, {}, { cause: error });
    }
  }

  close(): void {
    this.agent?.destroy();
  }

  private exchange(request: RequestContext): Promise<ResponseContext> {
    const agent = this.agentOf(request);
    const headers = { ...request.getHeaders(), 'User-Agent': USER_AGENT };
    return new Promise((resolve, reject) => {
      const outgoing = startRequest(
        request.getUrl(),
        { agent, method: request.getHttpMethod(), headers },
        (incoming) => {
          const answered = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
          readAll(incoming).then(
            (body) =>
              resolve(
                new ResponseContext(
                  incoming.statusCode ?? 0,
                  Object.fromEntries(answered),
                  new SelfDecodingBody(Promise.resolve(body)),
                ),
              ),
            reject,
          );
        },
      );
      // Covers connecting too, unlike the request's own timeout, which counts silence on a socket that is there.
      const limit = setTimeout(() => {
        const late = new Error(`no answer within ${this.timeoutMs / 1000} s`);
        // First: an answer that has begun would only say that it was cut off.
        reject(late);
        outgoing.destroy(late);
      }, this.timeoutMs);
      outgoing.on('close', () => clearTimeout(limit));
      outgoing.on('error', reject);
      outgoing.end(request.getBody());
    });
  }

  /** KubeConfig gives each request an agent of its own, whose options are what it knows of certificates and names. */
  private agentOf(request: RequestContext): StreamAgent {
    const signed = request.getAgent();
    this.agent ??= new StreamAgent(signed instanceof Agent ? signed.options : {}, this.open);
    return this.agent;
  }
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Does TLS over the streams it is given. Node's types know no asynchronous createConnection, its documentation does. */
class StreamAgent extends Agent {
  /** Streams that the agent does not know yet, since TLS is still to be agreed on. A server that is stopped never does. */
  private readonly greeting = new Set<Duplex>();
  private ended = false;

  constructor(
    private readonly tls: AgentOptions,
    private readonly open: () => Promise<Duplex>,
  ) {
    super({ ...tls, keepAlive: true, maxSockets: MAX_CONNECTIONS, timeout: IDLE_TIMEOUT_MS });
  }

  override createConnection(
    request: ClientRequestArgs & ConnectionOptions,
    done: (error: Error | null, stream?: Duplex) => void,
  ): undefined {
    this.open().then(
      (stream) => {
        if (this.ended) {
          stream.destroy();
          return done(new Error('the connection was given up'));
        }
        const socket = connect({
          ...this.tls,
          socket: stream,
          // The kubeconfig's host, which the certificate is for; the stream may lead there under another address.
          host: request.host ?? '',
          // Set by Node, and empty for an address, which is no server name.
          servername: request.servername ?? '',
          // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: these requests carry an administrator's credentials.
          rejectUnauthorized: true,
        });
        this.greeting.add(socket);
        socket.once('close', () => this.greeting.delete(socket));
        socket.once('secureConnect', () => {
          this.greeting.delete(socket);
          done(null, socket);
        });
        socket.once('error', (error: Error) => done(distrusted(socket) ?? error));
        stream.once('error', (error: Error) => socket.destroy(error));
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
    return undefined;
  }

  override destroy(): void {
    this.ended = true;
    for (const socket of this.greeting) socket.destroy();
    super.destroy();
  }
}

/** Set, with Node's code, when the certificate is the reason; the type says otherwise. */
function distrusted({ authorizationError }: { readonly authorizationError: unknown }): Error | null {
  if (typeof authorizationError !== 'string') return null;
  return new Error(
    `it shows a certificate that its kubeconfig does not vouch for (${authorizationError}): another cluster, or one that was installed anew`,
  );
}
