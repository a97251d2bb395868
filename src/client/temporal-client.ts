/**
 * The client over a connection to Temporal.
 * @module
 */
import {
  ApplicationFailure,
  type Client,
  type Connection,
  WorkflowFailedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { PlanPreview } from '../domain/preflight.js';
import {
  DAY_2_WORKFLOW_TYPES,
  type Day2Input,
  hostQueue,
  PLAN_WORKFLOW_TYPE,
  type PlanInput,
  planWorkflowId,
  type ProvisionInput,
  QUERIES,
  type RunPurpose,
  type RunStatus,
  VERIFY_WORKFLOW_TYPE,
  verifyWorkflowId,
  watchQueue,
  WORKFLOW_QUEUE,
  WORKFLOW_TYPE,
  workflowId,
} from '../domain/run/messages.js';
import { newLines } from '../domain/run/host-output.js';
import type { Choice, Decision, Receipt } from '../domain/run/questions.js';
import type { Contact, ListedRun, RunView, WorkflowState } from '../domain/run/view.js';
import type { ServerSpec } from '../domain/spec.js';
import type { VerifyInput, VerifyReport, VerifySchedule } from '../domain/verify.js';
import type { ProvisionClient, Sighting, StartedRun, WatchOptions } from '../client.js';
import { CodecError } from '../codec/key-ring.js';
import { ClientError, clientError, rootMessage } from './client-error.js';
import { type QueueState, queueState, type TemporalHealth, temporalHealth } from './health.js';
import { hostOutput } from './host-output.js';
import { knownRun, STATES } from './known-run.js';
import { type ListFilter, listRuns } from './list-runs.js';
import { newEvents } from './new-events.js';
import { day2Options, startOptions } from './start-options.js';
import { scheduleVerify, unscheduleVerify, verifyOptions } from './verify.js';

/** A person waits: a server that doesn't answer is told within seconds. */
const CALL_LIMIT_MS = 5_000;
/** A query waits for a worker; with the calls before it, whoever asks for a status is answered within two seconds. */
const QUERY_LIMIT_MS = 1_500;
/** Where Temporal remembers no worker. It forgets all of them when it restarts, so the question is put all the same. */
const UNPOLLED_QUERY_LIMIT_MS = 300;
/** Longer than a workflow task may take (10 s by default), so that a busy worker isn't called gone. */
const DECISION_LIMIT_MS = 15_000;
/** Some pages, and one look at the history of each run that asks. */
const LIST_LIMIT_MS = 15_000;
const POLL_MS = 1_000;

export class TemporalProvisionClient implements ProvisionClient {
  constructor(
    protected readonly client: Client,
    private readonly connection: Connection,
    readonly address: string,
    readonly namespace: string,
  ) {}

  async start(input: ProvisionInput, { attach = false }: { readonly attach?: boolean } = {}): Promise<StartedRun> {
    const { spec } = input;
    const before = attach ? await this.runningRun(spec.name) : null;
    const handle = await this.call(spec.name, () =>
      this.client.workflow.start(WORKFLOW_TYPE, startOptions(input, attach)),
    );
    const runId = handle.firstExecutionRunId;
    return { server: spec.name, workflowId: handle.workflowId, runId, attached: runId === before };
  }

  async startDay2(purpose: RunPurpose, input: Day2Input): Promise<StartedRun> {
    const { name } = input.spec;
    const handle = await this.call(name, () =>
      this.client.workflow.start(DAY_2_WORKFLOW_TYPES[purpose], day2Options(purpose, input)),
    );
    return { server: name, workflowId: handle.workflowId, runId: handle.firstExecutionRunId, attached: false };
  }

  async status(server: string): Promise<RunView> {
    return this.look(server, null);
  }

  async list(filter: ListFilter = {}): Promise<readonly ListedRun[]> {
    return this.call('any server', () => listRuns(this.client, filter), LIST_LIMIT_MS);
  }

  async *watch(server: string, { signal }: WatchOptions = {}): AsyncGenerator<Sighting> {
    let last: RunView | null = null;
    for (;;) {
      const view: RunView = await this.lookOrKeep(server, last);
      yield {
        view,
        events: newEvents(last?.status?.events ?? [], view.status?.events ?? []),
        output: newLines(last?.output ?? null, view.output),
      };
      if (view.workflow !== 'running') return;
      last = view;
      await pause(POLL_MS, signal);
      if (signal?.aborted === true) return;
    }
  }

  async decide(server: string, choice: Choice, decision: Decision): Promise<Receipt> {
    const { gate, digest = '', by = '' } = decision;
    // Without a digest the same words may answer a later question of the same name, and must not be taken for a repetition.
    const updateId = digest === '' ? {} : { updateId: `${gate}:${digest}:${choice}:${by}` };
    return this.call(
      server,
      () => this.handle(server).executeUpdate<Receipt, [Decision]>(choice, { args: [decision], ...updateId }),
      DECISION_LIMIT_MS,
    );
  }

  async plan(spec: ServerSpec): Promise<PlanPreview> {
    const input: PlanInput = { spec };
    return this.answer(spec, PLAN_WORKFLOW_TYPE, {
      workflowId: planWorkflowId(spec.name),
      args: [input],
      staticSummary: `plan ${spec.name}: read-only`,
      memo: { site: spec.site, cluster: spec.cluster.name },
    });
  }

  async verify(input: VerifyInput): Promise<VerifyReport> {
    return this.answer(input.spec, VERIFY_WORKFLOW_TYPE, verifyOptions(input));
  }

  async scheduleVerify(input: VerifyInput, everySeconds: number): Promise<VerifySchedule> {
    return this.call(input.spec.name, () => scheduleVerify(this.client, input, everySeconds));
  }

  async unscheduleVerify(server: string): Promise<void> {
    await this.call(`schedule ${verifyWorkflowId(server)}`, () => unscheduleVerify(this.client, server));
  }

  async cancel(server: string): Promise<void> {
    await this.call(server, () => this.handle(server).cancel());
  }

  async result(server: string): Promise<RunView> {
    try {
      await this.handle(server).result();
    } catch (error) {
      // How it failed is in the view; only "no such run" and a lost Temporal are errors here.
      if (!(error instanceof WorkflowFailedError)) throw clientError(error, { server, address: this.address });
    }
    return this.status(server);
  }

  async setCurrentVersion(deployment: string, buildId: string): Promise<void> {
    const request = {
      namespace: this.namespace,
      deploymentName: deployment,
      buildId,
      identity: this.client.options.identity,
    };
    await this.call(`version ${buildId} of deployment ${deployment}`, () =>
      this.client.workflowService.setWorkerDeploymentCurrentVersion(request),
    );
  }

  async health(): Promise<TemporalHealth> {
    return this.call('any server', () => temporalHealth(this.connection, this.namespace));
  }

  async queue(name: string): Promise<QueueState> {
    return this.call(name, () => queueState(this.client, name));
  }

  async workersPolling(queue: string): Promise<number> {
    return (await this.queue(queue)).pollers;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  /** Starts a workflow that reads and answers, and waits for the answer. */
  private async answer<T>(
    spec: ServerSpec,
    type: string,
    options: Omit<WorkflowStartOptions, 'taskQueue'>,
  ): Promise<T> {
    for (const queue of [WORKFLOW_QUEUE, watchQueue(spec.site)]) {
      if ((await this.workersPolling(queue)) > 0) continue;
      throw new ClientError(
        'no-worker',
        `no worker polls ${queue}: start one with  gpu-provision worker --site ${spec.site}`,
      );
    }
    const handle = await this.call(spec.name, () =>
      this.client.workflow.start(type, {
        ...options,
        taskQueue: WORKFLOW_QUEUE,
        // Whoever asks twice at once gets the same answer; the host is read once.
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      }),
    );
    try {
      return (await handle.result()) as T;
    } catch (error) {
      if (error instanceof WorkflowFailedError) throw new ClientError('refused', rootMessage(error), { cause: error });
      throw clientError(error, { server: spec.name, address: this.address });
    }
  }

  private handle(server: string): ReturnType<Client['workflow']['getHandle']> {
    return this.client.workflow.getHandle(workflowId(server));
  }

  private async call<T>(server: string, fn: () => Promise<T>, limitMs: number = CALL_LIMIT_MS): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + limitMs, fn);
    } catch (error) {
      throw clientError(error, { server, address: this.address });
    }
  }

  private async runningRun(server: string): Promise<string | null> {
    try {
      const { runId, status } = await this.call(server, () => this.handle(server).describe());
      return status.name === 'RUNNING' ? runId : null;
    } catch (error) {
      if (error instanceof ClientError && error.kind === 'not-found') return null;
      throw error;
    }
  }

  /** Describes first, because that needs no worker, then asks the workflow itself. */
  private async look(server: string, last: RunView | null): Promise<RunView> {
    const description = await this.call(server, () => this.handle(server).describe());
    const workflow = STATES[description.status.name] ?? 'terminated';
    const same = last?.known.runId === description.runId ? last : null;
    const output = workflow === 'running' ? await hostOutput(this.client, description) : null;
    const view = { server, workflow, known: knownRun(description), output };
    const ended = await this.statusOfEnded(server, workflow);
    if (ended !== null) return { ...view, now: now(), contact: { kind: 'ok' }, status: ended, statusAt: ended.now };
    const polling = await this.workersPolling(WORKFLOW_QUEUE);
    const answer = await this.query(server, polling > 0 ? QUERY_LIMIT_MS : UNPOLLED_QUERY_LIMIT_MS);
    if (answer !== null) {
      const contact = workflow === 'running' ? await this.activityContact(answer.site) : ({ kind: 'ok' } as const);
      return { ...view, now: now(), contact, status: answer, statusAt: now() };
    }
    const since = same?.statusAt ?? null;
    const contact: Contact = { kind: polling > 0 ? 'stuck' : 'no-worker', queue: WORKFLOW_QUEUE, since };
    return { ...view, now: now(), contact, status: same?.status ?? null, statusAt: since };
  }

  /** A run that is over carries its last status in its result, or in the failure that closed it: no worker is needed. */
  private async statusOfEnded(server: string, workflow: WorkflowState): Promise<RunStatus | null> {
    if (workflow !== 'completed' && workflow !== 'failed') return null;
    try {
      return (await this.call(server, () => this.handle(server).result())) as RunStatus;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      const details = error.cause instanceof ApplicationFailure ? error.cause.details?.[0] : undefined;
      return (details as RunStatus | undefined) ?? null;
    }
  }

  /** null when nobody answers in time. */
  private async query(server: string, limitMs: number): Promise<RunStatus | null> {
    try {
      return await this.client.withDeadline(Date.now() + limitMs, () =>
        this.handle(server).query<RunStatus>(QUERIES.status),
      );
    } catch (error) {
      // The run answers; it is this process that cannot read it.
      if (error instanceof CodecError) throw clientError(error, { server, address: this.address });
      // Every other way in which a query fails means the same here; whether Temporal itself is there, describe has shown.
      return null;
    }
  }

  /** The workflow answers, but its steps need workers of the site. */
  private async activityContact(site: string): Promise<Contact> {
    for (const queue of [hostQueue(site), watchQueue(site)]) {
      if ((await this.workersPolling(queue)) === 0) return { kind: 'no-worker', queue, since: null };
    }
    return { kind: 'ok' };
  }

  private async lookOrKeep(server: string, last: RunView | null): Promise<RunView> {
    try {
      return await this.look(server, last);
    } catch (error) {
      if (last === null || !(error instanceof ClientError) || error.kind !== 'unreachable') throw error;
      const contact: Contact = { kind: 'no-temporal', address: this.address, since: last.statusAt };
      return { ...last, now: now(), contact, output: null };
    }
  }
}

function now(): string {
  return new Date().toISOString();
}

/** Returns early when aborted. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
