/**
 * Whole runs: real Temporal, real SSH to a simulated server with a BMC and a cluster, and the worker's own activities.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { expect, inject } from 'vitest';
import { startBmcOf, startIpmiBmcOf, type SimulatedBmc } from '../../lab/rack/bmc/index.js';
import {
  startRack,
  type FaultRule,
  type Rack,
  type SimulatedHost,
  type SimulatedHostOptions,
} from '../../lab/rack/index.js';
import { createBmcProvider } from '../../src/adapters/bmc/index.js';
import { createSecretSource } from '../../src/adapters/secrets/index.js';
import { ATTRIBUTE } from '../../src/client/known-run.js';
import { PHASE_NAMES, type PhaseName } from '../../src/domain/run/phases.js';
import {
  DAY_2_WORKFLOW_TYPES,
  type Day2Input,
  type ProvisionInput,
  type RunPurpose,
  VERIFY_WORKFLOW_TYPE,
  WORKFLOW_QUEUE,
  verifyWorkflowId,
  WORKFLOW_TYPE,
  workflowId,
} from '../../src/domain/run/messages.js';
import type { AcceptanceMode, ServerSpec } from '../../src/domain/spec.js';
import type { VerifyReport } from '../../src/domain/verify.js';
import type { ArtifactStore } from '../../src/ports/artifacts.js';
import type { BmcConsole } from '../../src/ports/bmc.js';
import { createActivities, type Activities } from '../../src/worker.js';
import { ProvisionRun, story } from '../support/provision-run.js';
import { serve } from '../support/serve.js';
import { serverSpec } from '../support/server-spec.js';
import { replayHistory } from '../workflow/histories.js';

/** What a run on the rack takes on a busy machine with two cores, many times over. */
const LIMIT_MS = 100_000;
/** A worker that was killed is missed after its heartbeat time-out, and the next one replays: the test's own limit is the patience. */
const PATIENCE_WITH_CRASHES = { lookEveryMs: 500, withoutWorkerMs: 10 * 60_000 };
const FORCE_MS = 5_000;

/** Only what GPU isolation needs: phases 5 to 8 have tests of their own. */
export const ISOLATION: readonly PhaseName[] = ['preflight', 'node-preparation', 'gpu-isolation'];

export interface SiteOptions {
  readonly host?: Partial<SimulatedHostOptions>;
  readonly faults?: readonly FaultRule[];
  readonly boot?: Partial<ServerSpec['boot']>;
  /** Redfish when left out. */
  readonly bmc?: false | 'ipmi';
  /** For one thing that is waited for, where a test has a longer limit of its own. */
  readonly limitMs?: number;
  /** Of its runs. */
  readonly memo?: Readonly<Record<string, unknown>>;
  /** Of the Temporal server, when it is not the tier's. */
  readonly temporal?: string;
  readonly acceptance?: AcceptanceMode;
  /** What stands between worker and activities. */
  readonly wrap?: (activities: ActivityMap) => ActivityMap;
  /** Serves the site instead of this process, at that Temporal server. Resolves to what ends it. */
  readonly serve?: (address: string, site: string) => Promise<() => Promise<void>>;
  readonly artifacts?: ArtifactStore;
  /** File in which its runs are recorded; left out, they are not. */
  readonly audit?: string;
  /** Served by processes that the test starts, on a Temporal server of its own. */
  readonly served?: { readonly address: string; readonly site: string };
}

export type ActivityMap = Activities['activities'];

/** One server, its BMC, and a worker for its site. */
export class Site {
  private stop: () => Promise<void> = async () => {};
  private activities: Activities | null = null;

  private constructor(
    readonly rack: Rack,
    readonly host: SimulatedHost,
    readonly bmc: SimulatedBmc,
    readonly spec: ServerSpec,
    private readonly directory: string,
    private readonly connection: Connection,
    private readonly native: NativeConnection | null,
    private readonly client: Client,
    private readonly options: SiteOptions,
    private readonly closeIpmi: () => Promise<void>,
  ) {}

  static async start(options: SiteOptions = {}): Promise<Site> {
    const { served } = options;
    const id = randomUUID().slice(0, 8);
    const site = served?.site ?? `site-${id}`;
    const name = options.host?.name ?? `h100-${id}`;
    const rack = await startRack({ hosts: [{ ...options.host, name }], faults: options.faults ?? [] });
    const host = rack.host(name);
    const credentials = { user: 'admin', password: 'rack-only' };
    const bmc = await startBmcOf(host, credentials);
    const ipmi = options.bmc === 'ipmi' ? await startIpmiBmcOf(host, credentials) : null;
    const directory = await mkdtemp(join(tmpdir(), 'gpu-provision-site-'));
    const file = async (path: string, content: string): Promise<string> => {
      await writeFile(join(directory, path), content, { mode: 0o600 });
      return join(directory, path);
    };
    const key = await file('client-key', rack.clientKey);
    const knownHosts = await file('known_hosts', `${rack.knownHosts}\n`);
    const login = await file('bmc', `${credentials.user}:${credentials.password}`);
    const base = serverSpec();
    const spec: ServerSpec = {
      ...base,
      name,
      site,
      serial: host.serial,
      nodeIP: '10.0.0.11',
      ssh: { host: host.ssh.host, port: host.ssh.port, user: host.ssh.user, key: `file:${key}`, knownHosts },
      bmc:
        options.bmc === false
          ? { kind: 'none' }
          : {
              ...(ipmi?.spec ?? { kind: 'redfish', url: bmc.url, tlsFingerprint: bmc.tlsFingerprint }),
              credentials: `file:${login}`,
            },
      boot: {
        ...base.boot,
        deadManSeconds: 20,
        settleSeconds: 1,
        verifySeconds: 18,
        ladder: { waitSeconds: 30, lookSeconds: 2, gracefulSeconds: 2, powerCycleSeconds: 30 },
        ...options.boot,
      },
      cluster: {
        ...base.cluster,
        acceptance: options.acceptance ?? base.cluster.acceptance,
        nested: [{ name: 'main', tenant: 'workload', nodes: 1, cpu: 8, memory: '32Gi', disk: '50Gi', gpusPerNode: 2 }],
      },
    };
    const address = served?.address ?? options.temporal ?? inject('temporalAddress');
    const connection = await Connection.connect({ address });
    const native = served === undefined ? await NativeConnection.connect({ address }) : null;
    const client = new Client({ connection });
    const it = new Site(rack, host, bmc, spec, directory, connection, native, client, options, async () =>
      ipmi?.close(),
    );
    if (options.serve === undefined) await it.startWorker();
    else it.stop = await options.serve(address, site);
    return it;
  }

  async startWorker(): Promise<void> {
    if (this.native === null) return;
    const { artifacts, audit } = this.options;
    const made = createActivities({
      ...(artifacts === undefined ? {} : { artifacts }),
      ...(audit === undefined ? {} : { audit }),
    });
    const activities = this.options.wrap?.(made.activities) ?? made.activities;
    this.stop = await serve(this.native, this.spec.site, activities, FORCE_MS);
    this.activities = made;
  }

  async stopWorker(): Promise<void> {
    await this.stop();
    this.stop = async () => {};
    await this.activities?.close();
  }

  async begin(phases: readonly PhaseName[] = ISOLATION, spec: ServerSpec = this.spec): Promise<ProvisionRun> {
    return this.beginOf(WORKFLOW_TYPE, { spec, phases, startedBy: 'op-b@ops2' });
  }

  async beginDay2(purpose: RunPurpose): Promise<ProvisionRun> {
    return this.beginOf(DAY_2_WORKFLOW_TYPES[purpose], { spec: this.spec, startedBy: 'op-b@ops2' });
  }

  private async beginOf(type: string, input: ProvisionInput | Day2Input): Promise<ProvisionRun> {
    const handle = await this.client.workflow.start(type, {
      // Sites of one Temporal server may have hosts of the same name.
      workflowId: workflowId(`${input.spec.site}/${input.spec.name}`),
      taskQueue: this.options.served === undefined ? input.spec.site : WORKFLOW_QUEUE,
      args: [{ ...input, audit: this.options.audit !== undefined }],
      typedSearchAttributes: [{ key: ATTRIBUTE.site, value: input.spec.site }],
      workflowIdConflictPolicy: 'FAIL',
      memo: { ...this.options.memo },
    });
    if (this.options.served !== undefined) return new ProvisionRun(handle, PATIENCE_WITH_CRASHES);
    return new ProvisionRun(handle, {
      lookEveryMs: 100,
      limitMs: this.options.limitMs ?? LIMIT_MS,
      withoutWorkerMs: LIMIT_MS,
    });
  }

  /** A drift check, on this site's own queue, that is replayed from its history. */
  async verify(phases: readonly PhaseName[] = ISOLATION): Promise<VerifyReport> {
    const handle = await this.client.workflow.start(VERIFY_WORKFLOW_TYPE, {
      workflowId: verifyWorkflowId(this.spec.name),
      taskQueue: this.spec.site,
      args: [{ spec: this.spec, phases }],
    });
    const report = (await handle.result()) as VerifyReport;
    await replayHistory(await handle.fetchHistory());
    return report;
  }

  /** As somebody else's worker has it. */
  console(): BmcConsole {
    const console = createBmcProvider({ secrets: createSecretSource() }).get(this.spec)?.console;
    if (!console) throw new Error(`bmc: ${this.spec.bmc.kind} has no console`);
    return console;
  }

  /** Paths, hashes, modes and owners of what isolation may touch. */
  snapshot(): ReadonlyMap<string, unknown> {
    return this.host.snapshot(['/etc', '/boot', '/usr/local']);
  }

  async close(): Promise<void> {
    await this.stopWorker();
    await this.closeIpmi();
    await this.bmc.close();
    await this.rack.close();
    await this.connection.close();
    await this.native?.close();
    await rm(this.directory, { recursive: true });
  }
}

export const ALL_PHASES = PHASE_NAMES;

/** One site per test, closed whatever happens. */
export async function withSite(options: SiteOptions, body: (site: Site) => Promise<void>): Promise<void> {
  const site = await Site.start(options);
  try {
    await body(site);
  } finally {
    await site.close();
  }
}

/** A run of the isolation that ends provisioned: what is done to a committed host begins with it. */
export async function provision(site: Site): Promise<void> {
  const run = await site.begin(ISOLATION);
  await run.approve();
  const status = await run.end();
  expect(status.outcome, story(status)).toBe('provisioned');
}

/** Of the drift check, with what is not as the runs left it. */
export async function verdict(site: Site): Promise<unknown> {
  const { verdict: found, items } = await site.verify();
  return { found, wrong: items.filter(({ state }) => state !== 'ok').map(({ id, text }) => `${id}: ${text}`) };
}

/** Menu entries of all boots, oldest first; null for the generated default. */
export const entries = (site: Site): readonly (string | null)[] => site.host.boots.map(({ entry }) => entry);
