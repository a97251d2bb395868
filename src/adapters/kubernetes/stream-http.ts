/**
 * The library's HTTP through byte streams: each request is a channel of its own in the host's SSH connection. So none is idle when an API
 * that restarts drops its connections, and none is left behind.
 * @module
 */
import { Agent, type AgentOptions } from 'node:https';
import type { ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import {
  IsomorphicFetchHttpLibrary,
  ResponseContext,
  SelfDecodingBody,
  type PromiseHttpLibrary,
  type RequestContext,
} from '@kubernetes/client-node';
import { ProvisionError } from '../../ports/failure.js';

/** One request with its answer; a single-node API answers in milliseconds, and in seconds while it restarts. */
const REQUEST_TIMEOUT_MS = 30_000;
const USER_AGENT = 'gpu-provision';

export class StreamHttp implements PromiseHttpLibrary {
  private readonly http = new IsomorphicFetchHttpLibrary();

  constructor(
    /** Gives a new stream to the API, or throws ProvisionError. */
    private readonly open: () => Promise<Duplex>,
    /** For messages: `the API of h100-01`. */
    private readonly name: string,
    /** Called when the API cannot be used as it was: its address and credentials are not to be trusted any more. */
    private readonly onBroken: () => void,
  ) {}

  /** Any HTTP code is returned. Throws ClusterUnreachable when there is no answer, and what opening the stream throws. */
  async send(request: RequestContext): Promise<ResponseContext> {
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

  private async exchange(request: RequestContext): Promise<ResponseContext> {
    const stream = await this.open();
    const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    request.setSignal(limit);
    request.setHeaderParam('User-Agent', USER_AGENT);
    // KubeConfig has put an agent there, whose options are what it knows of certificates and names.
    const agent = request.getAgent();
    request.setAgent(new StreamAgent(agent instanceof Agent ? agent.options : {}, stream));
    try {
      const { httpStatusCode, headers, body } = await this.http.send(request).toPromise();
      // Here and not where the library reads it, so that an answer which breaks off counts as none.
      const whole = await body.binary();
      return new ResponseContext(httpStatusCode, headers, new SelfDecodingBody(Promise.resolve(whole)));
    } catch (error) {
      throw limit.aborted ? new Error(`nothing within ${REQUEST_TIMEOUT_MS / 1000} s`, { cause: error }) : error;
    } finally {
      stream.destroy();
    }
  }
}

/** Does TLS over a stream that is there already. */
class StreamAgent extends Agent {
  private readonly tls: ConnectionOptions;

  constructor(
    options: AgentOptions,
    private readonly stream: Duplex,
  ) {
    super(options);
    this.tls = options;
  }

  override createConnection(request: ClientRequestArgs & ConnectionOptions): TLSSocket {
    const socket = connect({
      ...this.tls,
      socket: this.stream,
      // The kubeconfig's host, which the certificate is for; the stream may lead there under another address.
      host: request.host ?? '',
      // Set by Node, and empty for an address, which is no server name.
      servername: request.servername ?? '',
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: these requests carry an administrator's credentials.
      rejectUnauthorized: true,
    });
    this.stream.once('error', (error: Error) => socket.destroy(error));
    return socket;
  }
}
