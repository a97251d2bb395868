/**
 * The administrator's requests to an API server. Fields that a schema does not know are refused, in what the lab sends as well.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { ApiError, isJson, type Json } from './object.js';
import type { Pki } from './pki.js';

const JSON_TYPE = 'application/json';
export const APPLY_TYPE = 'application/apply-patch+yaml';
const FIRST_ERROR = 400;

export class ApiClient {
  private readonly agent: Agent;

  constructor(
    private readonly port: number,
    { ca, clientCert, clientKey }: Pki,
  ) {
    this.agent = new Agent({ keepAlive: true, ca, cert: clientCert, key: clientKey });
  }

  /** Parsed JSON, or the text of an answer that is none. Throws ApiError, and what the socket throws. */
  async ask(method: string, path: string, body?: unknown, type = JSON_TYPE): Promise<unknown> {
    return parse(await text(await this.send(method, path, body, type)));
  }

  /** Calls back with each event of a watch. Resolves when the server ends it. Throws what `ask` throws. */
  async watch(path: string, onEvent: (event: Json) => void): Promise<void> {
    const response = await this.send('GET', path);
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = parse(line);
        if (isJson(event)) onEvent(event);
      }
    }
  }

  private async send(method: string, path: string, body?: unknown, type = JSON_TYPE): Promise<IncomingMessage> {
    const content = body === undefined ? '' : JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          agent: this.agent,
          method,
          // Node itself gives no length to the body of a DELETE, which then is read as the next request.
          headers: { accept: JSON_TYPE, 'content-type': type, 'content-length': Buffer.byteLength(content) },
        },
        resolve,
      );
      sent.on('error', reject);
      sent.end(content);
    });
    const code = response.statusCode ?? 0;
    if (code < FIRST_ERROR) return response;
    const answer = await text(response);
    const parsed = parse(answer);
    const { reason, message } = isJson(parsed) ? parsed : { reason: '', message: answer };
    throw new ApiError(code, String(reason), `${method} ${path}: ${code} ${String(message)}`);
  }

  close(): void {
    this.agent.destroy();
  }
}

function parse(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return answer;
  }
}
