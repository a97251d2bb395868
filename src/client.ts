/**
 * Starts and steers runs. The CLI is built on it, and other programs may be: nothing here needs a terminal.
 * @module
 */
import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { CodecError } from './codec/key-ring.js';
import { ClientError, rootMessage, unreachable } from './client/client-error.js';
import type { QueueState, TemporalHealth } from './client/health.js';
import type { ListFilter } from './client/list-runs.js';
import { loadDataConverter } from './codec/data-converter.js';
import { TemporalProvisionClient } from './client/temporal-client.js';
import { tracingWanted } from './tracing/settings.js';
import type { PlanPreview } from './domain/preflight.js';
import type { Day2Input, ProvisionInput, RunEvent, RunPurpose } from './domain/run/messages.js';
import type { Choice, Decision, Receipt } from './domain/run/questions.js';
import type { ListedRun, RunView } from './domain/run/view.js';
import type { ServerSpec } from './domain/spec.js';
import type { VerifyInput, VerifyReport, VerifySchedule } from './domain/verify.js';

export { ClientError, type ClientErrorKind } from './client/client-error.js';
export type { QueueState, TemporalHealth } from './client/health.js';
export { LISTED_RUNS_LIMIT, type ListFilter } from './client/list-runs.js';

/** A person waits: a server that isn't there is told within seconds. */
const CONNECT_LIMIT_MS = 3_000;

export interface ConnectOptions {
  /** `host:port`; by default from TEMPORAL_ADDRESS or the profile, else localhost:7233. */
  readonly address?: string;
  readonly namespace?: string;
  /** Instead of the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface StartedRun {
  readonly server: string;
  readonly workflowId: string;
  readonly runId: string;
  /** true when the run was there before. */
  readonly attached: boolean;
}

export interface WatchOptions {
  readonly signal?: AbortSignal;
}

/** One look at a run that is watched. */
export interface Sighting {
  readonly view: RunView;
  /** Events since the sighting before, oldest first; the first sighting has all that are kept. */
  readonly events: readonly RunEvent[];
  /** Lines that the host has said since, to the command that runs on it; of many only the last ones. */
  readonly output: readonly string[];
}

/** Every method throws ClientError for what can go wrong outside; anything else is a bug. */
export interface ProvisionClient {
  readonly address: string;
  readonly namespace: string;
  /** Kind `already-running` when there is a run of this server and `attach` isn't set. */
  start(input: ProvisionInput, options?: { readonly attach?: boolean }): Promise<StartedRun>;
  /** Starts a run over a server that is provisioned; it asks first. Kind `already-running` when there is a run of this server. */
  startDay2(purpose: RunPurpose, input: Day2Input): Promise<StartedRun>;
  /** The newest run of the server, also when it is over. Kind `not-found` when there is none. */
  status(server: string): Promise<RunView>;
  /** Runs of every server, the newest first, at most 1,000. Needs no worker. */
  list(filter?: ListFilter): Promise<readonly ListedRun[]>;
  /** Yields about once a second until the run is over or the signal aborts. Survives a Temporal that is away for a while. */
  watch(server: string, options?: WatchOptions): AsyncIterable<Sighting>;
  /** Kinds: `not-found` (no run, or over), `refused` (its reason), `no-worker` (whether it counts is unknown). */
  decide(server: string, choice: Choice, decision: Decision): Promise<Receipt>;
  /** Reads the host and says what a run would do; changes nothing. Kind `refused` when it can't be read. */
  plan(spec: ServerSpec): Promise<PlanPreview>;
  /** Reads what runs have made on the server and says what has drifted; changes nothing. Kind `refused` when it can't be read. */
  verify(input: VerifyInput): Promise<VerifyReport>;
  /** The same at intervals, by a schedule of Temporal; one that is there is replaced. Says what it reads back as. */
  scheduleVerify(input: VerifyInput, everySeconds: number): Promise<VerifySchedule>;
  /** Kind `not-found` when there is no such schedule. */
  unscheduleVerify(server: string): Promise<void>;
  /** Asks the run to undo the phase it is in and end. Returns when the request is recorded, not when it is done. */
  cancel(server: string): Promise<void>;
  /** Waits, without limit, until the run is over. */
  result(server: string): Promise<RunView>;
  /** New runs go to this version of the deployment. Kind `refused` when its workers don't serve all task queues of the version before. */
  setCurrentVersion(deployment: string, buildId: string): Promise<void>;
  /** What of Temporal itself a run needs. */
  health(): Promise<TemporalHealth>;
  /** Who polled this task queue lately, and which version new runs go to. */
  queue(name: string): Promise<QueueState>;
  /** How many workers polled this task queue lately (the server remembers for about five minutes). */
  workersPolling(queue: string): Promise<number>;
  close(): Promise<void>;
}

/** Kind `unreachable` within a few seconds when there is no Temporal; `codec-keys` when the keys that the environment names cannot be used. */
export async function connectProvision(options: ConnectOptions = {}): Promise<ProvisionClient> {
  const overrides = options.env === undefined ? {} : { overrideEnvVars: definedOnly(options.env) };
  const config = configuration(overrides);
  const address = options.address ?? config.connectionOptions.address ?? 'localhost:7233';
  const namespace = options.namespace ?? config.namespace ?? 'default';
  const { tls, apiKey, metadata } = config.connectionOptions;
  const dataConverter = await codecs(options.env ?? process.env);
  const traced = tracingWanted(options.env ?? process.env) ? await import('./client/traced-client.js') : null;
  try {
    const connection = await Connection.connect({
      address,
      connectTimeout: CONNECT_LIMIT_MS,
      ...(tls === undefined ? {} : { tls }),
      ...(typeof apiKey === 'string' ? { apiKey } : {}),
      ...(metadata === undefined ? {} : { metadata }),
    });
    const interceptors = { workflow: traced?.interceptors() ?? [] };
    const client = new Client({ connection, namespace, dataConverter, interceptors });
    return new (traced?.TracedProvisionClient ?? TemporalProvisionClient)(client, connection, address, namespace);
  } catch (error) {
    throw unreachable(address, rootMessage(error), error);
  }
}

function configuration(
  overrides: Parameters<typeof loadClientConnectConfig>[0],
): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig(overrides);
  } catch (error) {
    const message = `Temporal's environment variables or temporal.toml can't be used: ${rootMessage(error)}`;
    throw new ClientError('unreachable', message, { cause: error });
  }
}

/** Without a converter for failures: a client only reads them. */
async function codecs(env: NonNullable<ConnectOptions['env']>): Promise<Pick<DataConverter, 'payloadCodecs'>> {
  try {
    const { payloadCodecs = [] } = await loadDataConverter(env);
    return { payloadCodecs };
  } catch (error) {
    throw error instanceof CodecError ? new ClientError('codec-keys', error.message, { cause: error }) : error;
  }
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
