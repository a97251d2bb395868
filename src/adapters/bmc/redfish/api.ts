/**
 * Redfish requests within one login, and the login itself.
 * @module
 */
import type { z } from 'zod';
import type { ProvisionError } from '../../../ports/failure.js';
import type { BmcCredentials } from '../credentials.js';
import { ActionRefused, bmcUnavailable } from '../failure.js';
import type { HttpsReply, HttpsRequest, PinnedHttps } from './https.js';
import { ErrorBody, ServiceRoot } from './schema.js';

const ROOT = '/redfish/v1/';

export interface RedfishApi {
  readonly root: z.infer<typeof ServiceRoot>;
  get<T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T>;
  /** An action. Throws ActionRefused when the BMC answers that it does not do it. */
  act(target: string, body: unknown, signal?: AbortSignal): Promise<void>;
}

export interface RedfishLogin {
  readonly https: PinnedHttps;
  /** For messages. */
  readonly where: string;
  readonly credentials: BmcCredentials;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Logs in, works, logs out. A session where the BMC offers them, because some sites switch basic authentication off; it is
 * deleted in any case, because BMCs have few. Basic authentication where it offers none or has none left.
 */
export async function withLogin<T>(login: RedfishLogin, work: (api: RedfishApi) => Promise<T>): Promise<T> {
  const anonymous = new Requests(login, {});
  const root = await anonymous.get(ROOT, ServiceRoot, login.signal);
  const session = await openSession(login, anonymous, root);
  try {
    return await work(Object.assign(new Requests(login, session.headers), { root }));
  } finally {
    // Without the signal: a cancelled call must log out too. A failure here says nothing about the work.
    if (session.path !== null) {
      await login.https.send({ method: 'DELETE', path: session.path, headers: session.headers }).catch(() => null);
    }
  }
}

interface Session {
  readonly headers: Readonly<Record<string, string>>;
  /** null with basic authentication. */
  readonly path: string | null;
}

async function openSession(
  { credentials: { user, password }, where }: RedfishLogin,
  requests: Requests,
  root: z.infer<typeof ServiceRoot>,
): Promise<Session> {
  const basic: Session = {
    headers: { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
    path: null,
  };
  const sessions = root.Links?.Sessions?.['@odata.id'];
  if (sessions === undefined) return basic;
  const body = { UserName: user, Password: password };
  // Without the signal: a session whose token never arrives could not be deleted.
  const reply = await requests.send({ method: 'POST', path: sessions, body });
  // A second try with the same password would count towards the lock-out of the account.
  if (reply.status === 401 || reply.status === 403) throw refusedLogin(where, `POST ${sessions}`, reply);
  const token = reply.headers['x-auth-token'];
  if (reply.status >= 300 || typeof token !== 'string') return basic;
  return { headers: { 'X-Auth-Token': token }, path: pathOf(reply.headers.location) };
}

/** Location is a path or a URL; only its path is used, so that a token never goes to another host. */
function pathOf(location: string | undefined): string | null {
  const base = 'https://bmc.invalid';
  return location !== undefined && URL.canParse(location, base) ? new URL(location, base).pathname : null;
}

class Requests {
  constructor(
    private readonly login: RedfishLogin,
    private readonly headers: Readonly<Record<string, string>>,
  ) {}

  async get<T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    const { where } = this.login;
    const tried = `GET ${path}`;
    const reply = await this.send({ method: 'GET', path, signal });
    if (reply.status === 401 || reply.status === 403) throw refusedLogin(where, tried, reply);
    if (reply.status !== 200) throw bmcUnavailable(where, tried, described(reply));
    const parsed = schema.safeParse(jsonOf(reply.text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw bmcUnavailable(where, tried, `unexpected answer: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }

  async act(target: string, body: unknown, signal?: AbortSignal): Promise<void> {
    const reply = await this.send({ method: 'POST', path: target, body, signal });
    if (reply.status === 401) throw refusedLogin(this.login.where, `POST ${target}`, reply);
    if (reply.status < 200 || reply.status >= 300) throw new ActionRefused(described(reply));
  }

  async send(request: HttpsRequest): Promise<HttpsReply> {
    try {
      return await this.login.https.send({ ...request, headers: this.headers });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw bmcUnavailable(this.login.where, `${request.method} ${request.path}`, why, error);
    }
  }
}

function refusedLogin(where: string, tried: string, reply: HttpsReply): ProvisionError {
  return bmcUnavailable(where, tried, `the BMC refuses the credentials: ${described(reply)}`);
}

/** Status and what the BMC says about it: `400 The value ForceOff is not supported`. */
function described({ status, text }: HttpsReply): string {
  const body = ErrorBody.safeParse(jsonOf(text));
  const error = body.success ? body.data.error : null;
  const said = error?.['@Message.ExtendedInfo']?.[0]?.Message ?? error?.message ?? '';
  return `HTTP ${status} ${said}`.trim().slice(0, 300);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
