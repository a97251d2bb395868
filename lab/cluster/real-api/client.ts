/**
 * The administrator's requests to an API server. Fields that a schema does not know are refused, in what the lab sends as well.
 * @module
 */
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { ApiError, isJson } from '../api/object.js';
import type { Pki } from '../api/pki.js';

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
    const { code, answer } = await new Promise<{ code: number; answer: string }>((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          agent: this.agent,
          method,
          headers: { accept: JSON_TYPE, 'content-type': type },
        },
        (response) => {
          text(response).then((all) => resolve({ code: response.statusCode ?? 0, answer: all }), reject);
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
    const parsed = parse(answer);
    if (code < FIRST_ERROR) return parsed;
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
