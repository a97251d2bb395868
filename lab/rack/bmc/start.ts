/**
 * A Redfish BMC over HTTPS with a certificate of its own.
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { BmcFaults } from './faults.js';
import { RESET_TYPES, type BmcOptions, type ResetType, type SimulatedBmc } from './options.js';
import { PowerSequencer } from './power-sequencer.js';
import { PATHS, RESOURCES, type LogEntry, type SystemState } from './resources.js';
import { Sessions } from './sessions.js';

const DEFAULT_TRANSITION_MS = 50;

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export async function startBmc(options: BmcOptions): Promise<SimulatedBmc> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: `bmc-${options.serial}` }], {
    keyType: 'ec',
  });
  const bmc = new RedfishService(options);
  const server = createServer({ key, cert }, (request, response) => void bmc.handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tlsFingerprint: `sha256:${createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')}`,
    resets: bmc.power.resets,
    openSessions: () => bmc.sessions.open,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await bmc.power.settle();
    },
  };
}

class RedfishService {
  readonly power: PowerSequencer;
  readonly sessions: Sessions;
  private readonly faults: BmcFaults;
  private readonly log: LogEntry[] = [];

  constructor(private readonly options: BmcOptions) {
    this.power = new PowerSequencer(options.power, options.transitionMs ?? DEFAULT_TRANSITION_MS);
    this.sessions = new Sessions(options.credentials);
    this.faults = new BmcFaults(options.faults ?? []);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.faults.strikes('no-answer')) return;
    const { status, headers = {}, body } = this.answer(request, await readJson(request));
    response.writeHead(status, { 'Content-Type': 'application/json', 'OData-Version': '4.0', ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  private answer(request: IncomingMessage, body: unknown): Answer {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const asked = `${request.method} ${path}`;
    if (asked === `POST ${PATHS.sessions}`) return this.logIn(body);
    if (path !== PATHS.root && !this.isAllowed(request)) return refusal(401, 'there is no valid session');
    if (asked === `POST ${PATHS.reset}`) return this.reset(body);
    // The baseboard's own reset does not touch the host.
    if (asked === `POST ${PATHS.baseboardReset}`) return { status: 204 };
    if (request.method === 'DELETE') return { status: this.sessions.delete(path) ? 204 : 404 };
    const resource = request.method === 'GET' ? RESOURCES[path]?.(this.state()) : undefined;
    return resource ? { status: 200, body: resource } : refusal(404, `there is no resource ${path}`);
  }

  private isAllowed(request: IncomingMessage): boolean {
    return this.sessions.allows(request.headers) && !this.faults.strikes('wrong-credentials');
  }

  private logIn(body: unknown): Answer {
    if (this.faults.strikes('wrong-credentials')) return refusal(401, 'the user name or password is wrong');
    if (this.faults.strikes('repeats-password')) return refusal(401, `wrong login: ${JSON.stringify(body)}`);
    const session = this.faults.strikes('sessions-exhausted') ? 'full' : this.sessions.create(body);
    if (session === 'refused') return refusal(401, 'the user name or password is wrong');
    if (session === 'full') return refusal(503, 'the number of sessions exceeds the limit');
    return { status: 201, headers: { Location: session.path, 'X-Auth-Token': session.token }, body: {} };
  }

  private reset(body: unknown): Answer {
    const wanted = (body as { ResetType?: unknown } | null)?.ResetType;
    const type = this.resetTypes.find((known) => known === wanted);
    if (type === undefined) return refusal(400, `the value ${String(wanted)} for ResetType is not in the list`);
    const cutsPower = type === 'ForceOff' || type === 'PowerCycle' || type === 'ForceRestart';
    if (cutsPower && this.faults.strikes('power-cycle-refused')) return refusal(403, 'the privilege is insufficient');
    if (this.faults.strikes('reset-ignored')) return { status: 204 };
    const conflict = this.power.begin(type);
    if (conflict !== null) return refusal(409, conflict);
    this.log.push({ created: new Date().toISOString(), message: `Power control: ${type}` });
    return { status: 204 };
  }

  private state(): SystemState {
    const { serial, model, resetTypesAre = 'inline' } = this.options;
    return { serial, model, power: this.power.reported, resetTypes: this.resetTypes, resetTypesAre, log: this.log };
  }

  private get resetTypes(): readonly ResetType[] {
    return this.options.resetTypes ?? RESET_TYPES;
  }
}

/** In the form of DSP0266. */
function refusal(status: number, message: string): Answer {
  return {
    status,
    body: { error: { code: 'Base.1.8.GeneralError', '@Message.ExtendedInfo': [{ Message: message }] } },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
