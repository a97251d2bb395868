/**
 * Looks at a server from this machine, without Temporal and without a worker. Reads only, by the code that the activities use.
 * @module
 */
import { type Adapters, stepContext } from './activities/define-step.js';
import { discoverHost } from './activities/host/discover.js';
import { RemoteHost } from './activities/host/remote-host.js';
import { preflight } from './activities/preflight.js';
import { ClientError } from './client/client-error.js';
import type { DiscoveredHost } from './domain/discover.js';
import { broken, clockDiagnosis, type Diagnosis, type DiagnosisId, fine, warned } from './domain/doctor.js';
import type { PreflightReport } from './domain/preflight/checks.js';
import { FAILURES } from './domain/run/failures.js';
import type { ServerLogin, ServerSpec } from './domain/spec.js';
import { openAdapters } from './open-adapters.js';
import { ProvisionError } from './ports/failure.js';

export interface DirectOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stops looking. */
  readonly signal: AbortSignal;
  /** Called once for each secret that is kept carelessly. */
  readonly warn: (text: string) => void;
}

/** Phase 1 as a run would have it. Throws ClientError `refused` when the host cannot be read. */
export async function preflightDirectly(spec: ServerSpec, options: DirectOptions): Promise<PreflightReport> {
  const { adapters, close } = openAdapters(options);
  try {
    const run = { id: 'preflight', epoch: 0 };
    return await preflight(stepContext(adapters, { spec, run }, { ...options, heartbeat: () => undefined }));
  } catch (error) {
    throw refusal(error);
  } finally {
    await close();
  }
}

/** What an inventory needs to know of a host. Throws ClientError `refused`, with both fingerprints where its key is not the pinned one. */
export async function discoverDirectly(login: ServerLogin, options: DirectOptions): Promise<DiscoveredHost> {
  const { adapters, close } = openAdapters(options);
  try {
    const run = { id: 'discover', epoch: 0 };
    return await discoverHost(new RemoteHost(adapters.hosts.get(login), run, options.signal, () => undefined));
  } catch (error) {
    throw refusal(error);
  } finally {
    await close();
  }
}

function refusal(error: unknown): unknown {
  if (!(error instanceof ProvisionError)) return error;
  return new ClientError('refused', `${error.message}. ${FAILURES[error.type].advice}`, { cause: error });
}

/** A person waits. */
const EXAMINE_LIMIT_MS = 30_000;

/** Secrets, SSH, clock and BMC of one server, at once. Never throws what is wrong with them: that is what it says. */
export async function examineDirectly(
  spec: ServerSpec,
  { env, signal: stop }: Pick<DirectOptions, 'env' | 'signal'>,
): Promise<readonly Diagnosis[]> {
  const careless: string[] = [];
  const { adapters, close } = openAdapters({ env, warn: (text) => careless.push(text) });
  const signal = AbortSignal.any([stop, AbortSignal.timeout(EXAMINE_LIMIT_MS)]);
  try {
    const [secrets, ssh, bmc] = await Promise.all([
      diagnosed('secrets', () => readSecrets(spec, adapters)),
      diagnosed('ssh.login', () => logIn(spec, adapters, signal)),
      diagnosed('bmc.login', () => askBmc(spec, adapters, signal)),
    ]);
    return [...secrets, ...careless.map((text) => warned('secrets', text, 'chmod 600')), ...ssh, ...bmc];
  } finally {
    await close();
  }
}

async function diagnosed(id: DiagnosisId, look: () => Promise<readonly Diagnosis[]>): Promise<readonly Diagnosis[]> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ProvisionError) return [broken(id, error.message, FAILURES[error.type].advice)];
    if (error instanceof DOMException && error.name === 'TimeoutError')
      return [broken(id, `no answer within ${EXAMINE_LIMIT_MS / 1_000} s`, FAILURES.CommandTimeout.advice)];
    throw error;
  }
}

async function readSecrets({ ssh, bmc, cluster }: ServerSpec, { secrets }: Adapters): Promise<readonly Diagnosis[]> {
  const all = [ssh.key, ssh.bastion?.key, bmc.kind === 'none' ? null : bmc.credentials, cluster.k3s.token];
  const references = [...new Set(all.filter((ref) => typeof ref === 'string'))];
  await Promise.all(references.map((ref) => secrets.read(ref)));
  return [fine('secrets', `readable from here: ${references.join(', ') || 'none are named'}`)];
}

async function logIn(spec: ServerSpec, { hosts }: Adapters, signal: AbortSignal): Promise<readonly Diagnosis[]> {
  const host = hosts.get(spec);
  const options = { timeoutMs: EXAMINE_LIMIT_MS, signal };
  const root = await host.exec(['id', '-u'], options);
  const asked = Date.now();
  const { stdout } = await host.exec(['date', '+%s'], { ...options, sudo: false });
  const answered = Date.now();
  const { user, host: address, port } = spec.ssh;
  const where = `${user}@${address}:${port}`;
  return [
    root.stdout.trim() === '0'
      ? fine('ssh.login', `${where} shows the pinned key, lets us in, and we become root`)
      : broken(
          'ssh.login',
          `${where} lets us in, but not become root: ${root.stderr.trim()}`,
          FAILURES.SudoRefused.advice,
        ),
    clockDiagnosis(stdout, asked, answered),
  ];
}

async function askBmc(spec: ServerSpec, { bmcs }: Adapters, signal: AbortSignal): Promise<readonly Diagnosis[]> {
  const bmc = bmcs.get(spec);
  if (bmc === null) return [fine('bmc.login', 'none, as the inventory says: a host that hangs waits for a person')];
  const power = await bmc.powerState(signal);
  const { serial } = await bmc.identity(signal);
  if (serial !== null && serial !== spec.serial)
    return [
      broken(
        'bmc.login',
        `it belongs to serial ${serial}, not ${spec.serial}`,
        `compare servers.${spec.name}.bmc and serial`,
      ),
    ];
  return [fine('bmc.login', `${bmc.kind} lets us in; power ${power}, serial ${serial ?? 'not told'}`)];
}
