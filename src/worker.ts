/**
 * Wires the adapters into the activities and serves the task queues of some sites. The only file that knows everything.
 * @module
 */
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { hostname } from 'node:os';
import { acceptanceSteps } from './activities/acceptance.js';
import { announceActivities } from './activities/announce.js';
import { auditActivities } from './activities/audit.js';
import { commitActivities } from './activities/commit.js';
import { consoleActivities } from './activities/console.js';
import { cozystackSteps } from './activities/cozystack.js';
import { decommissionActivities } from './activities/decommission.js';
import { kernelUpgradeActivities } from './activities/kernel-upgrade.js';
import { plannedRebootActivities } from './activities/planned-reboot.js';
import { stepActivities } from './activities/define-step.js';
import { isolationSteps } from './activities/gpu-isolation.js';
import { isolationActivities } from './activities/isolation-state.js';
import { k3sSteps } from './activities/k3s.js';
import { kubevirtSteps } from './activities/kubevirt.js';
import { nestedClusterSteps } from './activities/nested-cluster.js';
import { preparationSteps } from './activities/node-preparation.js';
import { planActivities } from './activities/plan.js';
import { preflightSteps } from './activities/preflight.js';
import { rebootActivities } from './activities/reboot.js';
import { restoreActivities } from './activities/restore.js';
import { storageActivities } from './activities/storage.js';
import { createAuditLog } from './adapters/audit/audit-log.js';
import { createNotifier } from './adapters/notify/index.js';
import { redactor } from './adapters/secrets/index.js';
import { verifyActivities } from './activities/verify.js';
import type { ArtifactStore } from './ports/artifacts.js';
import { loadDataConverter } from './codec/data-converter.js';
import { hostQueue, watchQueue, WORKFLOW_QUEUE } from './domain/run/messages.js';
import type { PhaseName } from './domain/run/phases.js';
import { collectOpenRuns } from './open-runs.js';
import { openAdapters } from './open-adapters.js';
import { WORKER_LIMITS, type WorkerLimits } from './worker-limits.js';
import { installTelemetry, type WorkerTelemetry } from './worker-telemetry.js';
import { tracingWanted } from './tracing/settings.js';
import { ownBuildId, pinned } from './worker-version.js';
import { WORKFLOW_BUNDLE_PATHS } from './workflow-bundle-path.js';

/** Runs in memory; others are replayed when they wake up. */
const CACHED_WORKFLOWS = 500;
/** Left to itself the SDK holds heartbeats back for most of their time-out, and a cancel, which comes with their answers, too. */
const HEARTBEAT_EVERY_MS = 5_000;
/** From the end of the grace time on, for activities to end their attempts: a power cycle that has begun is finished. */
const FORCE_AFTER_GRACE_MS = 90_000;

/** Of `service.name`, where OTEL_SERVICE_NAME is not set. */
const SERVICE = 'gpu-provision-worker';
/** Workflows hand their spans out in any case. */
const NO_TRACING = {
  sinks: { trace: { ended: { fn: () => undefined, callDuringReplay: false } } },
  activity: [],
  close: async () => undefined,
};

/** The steps of every phase, by activity name. */
export const STEP_TABLES = {
  preflight: preflightSteps,
  'node-preparation': preparationSteps,
  k3s: k3sSteps,
  'gpu-isolation': isolationSteps,
  cozystack: cozystackSteps,
  kubevirt: kubevirtSteps,
  'nested-cluster': nestedClusterSteps,
  acceptance: acceptanceSteps,
} as const satisfies Record<PhaseName, unknown>;

export interface Activities {
  /** For `WorkerOptions.activities`. */
  readonly activities: NonNullable<WorkerOptions['activities']>;
  readonly close: () => Promise<void>;
}

export interface ActivitiesOptions {
  /** Called once for each secret that is kept carelessly. */
  readonly warn?: (text: string) => void;
  /** Where evidence is kept beside the history; left out, none is. */
  readonly artifacts?: ArtifactStore;
  /** File in which moments of runs are recorded; left out, none is. */
  readonly audit?: string;
}

/** Every activity, over real adapters. */
export function createActivities({ warn = () => undefined, artifacts, audit }: ActivitiesOptions = {}): Activities {
  const { adapters, close } = openAdapters({
    warn,
    artifacts: artifacts === undefined ? null : redactingStore(artifacts),
  });
  return {
    activities: redacting({
      ...stepActivities(adapters, Object.assign({}, ...Object.values(STEP_TABLES))),
      ...rebootActivities(adapters),
      ...consoleActivities(adapters),
      ...restoreActivities(adapters),
      ...commitActivities(adapters),
      ...isolationActivities(adapters),
      ...storageActivities(adapters),
      ...planActivities(adapters, STEP_TABLES),
      ...announceActivities(createNotifier({ secrets: adapters.secrets })),
      ...auditActivities(
        audit === undefined ? null : createAuditLog({ path: audit, redact: (text) => redactor.text(text) }),
      ),
      ...verifyActivities(adapters),
      ...decommissionActivities(adapters),
      ...plannedRebootActivities(adapters),
      ...kernelUpgradeActivities(adapters),
    }),
    close,
  };
}

/** What hosts print is kept as it is, but for the secrets in it. */
function redactingStore(store: ArtifactStore): ArtifactStore {
  return { url: store.url, put: (text) => store.put(redactor.text(text)), get: (sha256) => store.get(sha256) };
}

/**
 * What activities return and throw goes into the history, and from there to everybody who sees the run. Hosts and BMCs are quoted in it, and
 * they may repeat a password.
 */
function redacting(
  activities: Readonly<Record<string, (input: never) => Promise<unknown>>>,
): Record<string, (input: never) => Promise<unknown>> {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      async (input: never): Promise<unknown> => {
        try {
          return redactor.value(await activity(input));
        } catch (error) {
          throw redactor.error(error);
        }
      },
    ]),
  );
}

export interface RunWorkerOptions {
  /** Sites whose hosts this worker can reach. */
  readonly sites: readonly string[];
  /** Aborted: finish what runs and return. */
  readonly signal?: AbortSignal;
  /** Name of the worker deployment that this worker is a version of; without it runs go to whichever worker is there. */
  readonly deployment?: string;
  /** Other than usual: see WORKER_LIMITS. */
  readonly limits?: Partial<WorkerLimits>;
  /** Where evidence is kept beside the history; left out, none is. */
  readonly artifacts?: ArtifactStore;
  /** File in which moments of runs are recorded; left out, none is. */
  readonly audit?: string;
  /** A log in JSON and no metrics when left out. */
  readonly telemetry?: WorkerTelemetry;
}

/** Serves until the signal aborts, or SIGINT or SIGTERM. The connection is Temporal's standard environment configuration. */
export async function runWorker({
  sites,
  signal,
  deployment,
  artifacts,
  audit,
  limits = {},
  telemetry = { logFormat: 'json' },
}: RunWorkerOptions): Promise<void> {
  const {
    hostChanges = WORKER_LIMITS.hostChanges.usual,
    watches = WORKER_LIMITS.watches.usual,
    graceSeconds = WORKER_LIMITS.graceSeconds.usual,
  } = limits;
  installTelemetry(telemetry);
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const dataConverter = await loadDataConverter(process.env);
  const bundle = dataConverter.failureConverterPath === undefined ? 'plain' : 'encrypted';
  const connection = await NativeConnection.connect(connectionOptions);
  const { logger, metricMeter } = Runtime.instance();
  const warn = (text: string): void => logger.warn(text);
  const tracing = tracingWanted(process.env)
    ? (await import('./tracing/worker.js')).openWorkerTracing({ service: SERVICE, warn })
    : NO_TRACING;
  const { activities, close } = createActivities({
    warn,
    ...(artifacts === undefined ? {} : { artifacts }),
    ...(audit === undefined ? {} : { audit }),
  });
  const common = {
    connection,
    dataConverter,
    namespace: namespace ?? 'default',
    identity: `${sites.join('+')}/${hostname()}/${process.pid}`,
    maxHeartbeatThrottleInterval: HEARTBEAT_EVERY_MS,
    interceptors: { activity: [...tracing.activity] },
    shutdownGraceTime: graceSeconds * 1_000,
    shutdownForceTime: graceSeconds * 1_000 + FORCE_AFTER_GRACE_MS,
    ...(deployment === undefined ? {} : { workerDeploymentOptions: pinned(deployment, await ownBuildId()) }),
  };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: WORKFLOW_QUEUE,
      workflowBundle: { codePath: WORKFLOW_BUNDLE_PATHS[bundle] },
      maxCachedWorkflows: CACHED_WORKFLOWS,
      sinks: tracing.sinks,
    }),
    ...sites.flatMap((site) => [
      Worker.create({
        ...common,
        taskQueue: hostQueue(site),
        activities,
        maxConcurrentActivityTaskExecutions: hostChanges,
      }),
      Worker.create({
        ...common,
        taskQueue: watchQueue(site),
        activities,
        maxConcurrentActivityTaskExecutions: watches,
      }),
    ]),
  ]);
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal?.addEventListener('abort', stop, { once: true });
  const { payloadCodecs = [] } = dataConverter;
  const client = new Client({ connection, namespace: common.namespace, dataConverter: { payloadCodecs } });
  const collector =
    telemetry.metricsAddress === undefined ? null : collectOpenRuns({ client, meter: metricMeter, sites, warn });
  try {
    const running = workers.map((worker) => worker.run());
    if (signal?.aborted === true) stop();
    // One worker that ends, ends all: half a worker would leave runs waiting without anybody noticing.
    await Promise.race(running).finally(stop);
    await Promise.all(running);
  } finally {
    signal?.removeEventListener('abort', stop);
    await collector?.stop();
    // Before the connection: with it the log ends.
    await tracing.close();
    await close();
    await connection.close();
  }
}
