/**
 * Runs provisionServer against a modelled world on the time-skipping server. Queues and ids are of this run alone.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { Context, heartbeat } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import { afterAll, beforeAll, inject } from 'vitest';
import { startTestServer, type TestServer } from '../../lab/tools/start-test-server.js';
import {
  hostQueue,
  watchQueue,
  WORKFLOW_TYPE,
  type ProvisionInput,
  type RunStatus,
} from '../../src/domain/run/messages.js';
import { PHASE_NAMES, type PhaseName } from '../../src/domain/run/phases.js';
import type { Decision, Receipt } from '../../src/domain/run/questions.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import { serverSpec } from '../support/server-spec.js';
import { connectTimeSkipping } from '../support/time-skipping.js';
import { recordHistory, replayHistory } from './histories.js';
import type { World } from './world.js';

// Injected failures are logged as warnings by the SDK; hundreds of them would hide what a test says.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

/** One for each file of tests: a day that one of them skips is skipped for every run on the server, and what stops its time stops no others. */
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** The question is open within moments of real time, nothing before it waits; without a cache they are longer. */
const QUESTION_DEADLINE_MS = { sticky: 30_000, replayed: 300_000 };
const LOOK_EVERY_MS = 25;
const LEAP = '2m';
/** More than the whole ladder and the longest retry policy. */
const LEAPS = 2_000;

/**
 * Has no console to read beside a reboot. Reading one ends by a cancel, and a cancel of an activity that ends at that moment makes the
 * time-skipping server skip no more, for all tests of the file: seen.
 */
export const REDFISH = {
  kind: 'redfish',
  url: 'https://192.0.2.111',
  tlsFingerprint: null,
  credentials: 'env:BMC_H100_01',
} as const satisfies ServerSpec['bmc'];

/** Few leaps to the power cycle. */
export const SOON: ServerSpec['boot'] = {
  ...serverSpec().boot,
  ladder: { waitSeconds: 240, lookSeconds: 120, gracefulSeconds: 120, powerCycleSeconds: 240 },
};

export interface Ended {
  /** `completed`, `failed` or `cancelled`: how the workflow closed. */
  readonly closed: 'completed' | 'failed' | 'cancelled';
  readonly status: RunStatus;
}

export interface RigOptions {
  readonly spec?: Partial<ServerSpec>;
  readonly phases?: readonly PhaseName[];
  readonly audit?: boolean;
  /** false: no workflow is cached, each task replays from the start; needed where workers are stopped and started. */
  readonly sticky?: boolean;
  /** Default: provisionServer. */
  readonly type?: string;
  /** Name of the recorded history that this run's would replace: see histories.ts. */
  readonly story?: string;
}

export class Rig {
  private constructor(
    readonly env: TestWorkflowEnvironment,
    readonly world: World,
    readonly handle: WorkflowHandle,
    private readonly site: string,
    private readonly options: RigOptions,
    private workers: { worker: Worker; running: Promise<void> }[],
  ) {}

  static async start(world: World, options: RigOptions = {}): Promise<Rig> {
    const env = await connectTimeSkipping(server.address);
    const site = `site-${randomUUID()}`;
    const input: ProvisionInput = {
      spec: serverSpec({ bmc: REDFISH, ...options.spec, site }),
      phases: options.phases ?? PHASE_NAMES,
      startedBy: 'op-b@ops2',
      ...(options.audit === undefined ? {} : { audit: options.audit }),
    };
    const workers = await startWorkers(env, world, site, isSticky(options));
    const handle = await env.client.workflow.start(options.type ?? WORKFLOW_TYPE, {
      workflowId: `provision/${site}`,
      taskQueue: site,
      args: [input],
      // A task that went to a worker as it stopped is given to another one after this long; the default is 10 s.
      workflowTaskTimeout: '3s',
    });
    return new Rig(env, world, handle, site, options, workers);
  }

  status(): Promise<RunStatus> {
    return this.handle.query<RunStatus>('status');
  }

  /** The status once a question is open, optionally one with this id. No time is skipped. */
  async untilAsked(id?: string): Promise<RunStatus> {
    return this.until((s) => s.question !== null && (id === undefined || s.question.id === id));
  }

  /**
   * Lets time pass in small leaps until a question is open. Awaiting the result instead would skip on through the reminders of a
   * question that waits without limit.
   */
  leapUntilAsked(id: string): Promise<RunStatus> {
    return this.leapUntil((s) => s.question?.id === id);
  }

  leapUntil(predicate: (status: RunStatus) => boolean): Promise<RunStatus> {
    let leaps = 0;
    return this.lookUntil(predicate, async () => {
      leaps += 1;
      if (leaps > LEAPS) return false;
      await this.env.sleep(LEAP);
      return true;
    });
  }

  until(predicate: (status: RunStatus) => boolean): Promise<RunStatus> {
    const end = Date.now() + QUESTION_DEADLINE_MS[isSticky(this.options) ? 'sticky' : 'replayed'];
    return this.lookUntil(predicate, async () => {
      if (Date.now() > end) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      return true;
    });
  }

  /**
   * Asks only when the history has grown: without a cache each question replays the whole run.
   *
   * @param pass Lets time pass; false when it has been long enough.
   */
  private async lookUntil(predicate: (status: RunStatus) => boolean, pass: () => Promise<boolean>): Promise<RunStatus> {
    let length = (await this.handle.describe()).historyLength;
    let status = await this.status();
    while (!predicate(status)) {
      if (!(await pass())) throw new Error(`never seen; last: ${JSON.stringify(status.events.slice(-5))}`);
      const { historyLength } = await this.handle.describe();
      if (historyLength === length) continue;
      length = historyLength;
      status = await this.status();
    }
    return status;
  }

  update(choice: 'approve' | 'reject' | 'resume', decision: Decision): Promise<Receipt> {
    return this.handle.executeUpdate<Receipt, [Decision]>(choice, { args: [decision] });
  }

  signal(choice: 'approve' | 'reject' | 'resume', decision: unknown): Promise<void> {
    return this.handle.signal(choice, decision);
  }

  /** Waits for the gate and approves what it asks. */
  async approve(gate = 'reboot'): Promise<Receipt> {
    const { question } = await this.untilAsked();
    return this.update('approve', { gate, digest: question?.digest ?? '', by: 'op-a@ops1', reason: 'CHG-4711' });
  }

  /** Lets time pass until the run has ended. */
  async end(): Promise<Ended> {
    try {
      return { closed: 'completed', status: (await this.handle.result()) as RunStatus };
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      if (error.cause instanceof CancelledFailure) return { closed: 'cancelled', status: await this.status() };
      if (error.cause instanceof ApplicationFailure) {
        return { closed: 'failed', status: error.cause.details?.[0] as RunStatus };
      }
      throw error;
    }
  }

  async stopWorkers(): Promise<void> {
    for (const { worker } of this.workers) worker.shutdown();
    await Promise.all(this.workers.map((w) => w.running));
    this.workers = [];
  }

  async startWorkers(): Promise<void> {
    this.workers = await startWorkers(this.env, this.world, this.site, isSticky(this.options));
  }

  async close(): Promise<void> {
    const description = await this.handle.describe();
    if (description.status.name === 'RUNNING') await this.handle.terminate('the test has ended');
    await this.stopWorkers();
    const history = await this.handle.fetchHistory();
    if (this.options.story !== undefined) await recordHistory(this.options.story, history);
    // Whatever a test does to a run, the code must take the same decisions from its history.
    await replayHistory(history);
    await this.env.teardown();
  }
}

/** One run of each story goes without a cache; `GPU_PROVISION_WORKFLOW_CACHE=off` sends all of them without one. */
const isSticky = ({ sticky, story }: RigOptions): boolean =>
  sticky ?? (story === undefined && process.env['GPU_PROVISION_WORKFLOW_CACHE'] !== 'off');

async function startWorkers(
  env: TestWorkflowEnvironment,
  world: World,
  site: string,
  sticky: boolean,
): Promise<{ worker: Worker; running: Promise<void> }[]> {
  const activities = world.activities();
  const common = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: site,
      workflowBundle: { codePath: inject('workflowBundle') },
      ...(sticky ? {} : { maxCachedWorkflows: 0 }),
    }),
    // Heartbeats bring the news of a cancel; held back, as they are by default, it would come after 48 s.
    Worker.create({ ...common, taskQueue: hostQueue(site), activities, maxHeartbeatThrottleInterval: '20ms' }),
    Worker.create({ ...common, taskQueue: watchQueue(site), activities }),
  ]);
  return workers.map((worker) => ({ worker, running: worker.run() }));
}

/** Inside an activity: heartbeats, by which Temporal tells it of a cancel, until one comes. Throws then. */
export async function untilCancelled(): Promise<never> {
  for (;;) {
    heartbeat();
    await Context.current().sleep(20);
  }
}
