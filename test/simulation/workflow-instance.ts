/**
 * The product's workflow bundle in the SDK's own isolate, driven by activations as the core of a worker drives it.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';
import { TypedSearchAttributes, defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { ReusableVMWorkflowCreator, type ReusableVMWorkflow } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { createUnsafeRandomSource } from '@temporalio/workflow/lib/random-helpers.js';

type Activation = Parameters<ReusableVMWorkflow['activate']>[0];
type Completion = Awaited<ReturnType<ReusableVMWorkflow['activate']>>;
export type Job = NonNullable<Activation['jobs']>[number];
export type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number];
export type Payload = NonNullable<NonNullable<NonNullable<Job['signalWorkflow']>['input']>[number]>;

/** A limit costs a thread for every call into the isolate, which is most of a run's time. */
const NO_TIME_LIMIT = undefined as unknown as number;
const TASK_TIMEOUT_MS = 10_000;
const HISTORY_BEGINS_AT_EVENT = 3;
const RANDOMNESS_SEED = [1, 3, 3, 7, 0, 0, 0, 0];

/** One version of the workflow code, for any number of runs one after the other. */
export class WorkflowCode {
  private readonly creator: ReusableVMWorkflowCreator;

  /** `bundle` as bundleWorkflowCode makes it. Without its source map, and without the SDK's stack traces: they cost more than the runs. */
  constructor(bundle: string) {
    const code = bundle.slice(0, bundle.lastIndexOf('//# sourceMappingURL='));
    const filename = '/workflow-bundle.js';
    const sourceMap = { version: 3, file: filename, sources: [], names: [], mappings: '' } as never;
    const script = new vm.Script(code, { filename });
    this.creator = new ReusableVMWorkflowCreator(script, { code, sourceMap, filename }, NO_TIME_LIMIT, new Set());
  }

  async open(runId: string, workflowType: string, startedAtMs: number): Promise<ReusableVMWorkflow> {
    const workflow = await this.creator.createWorkflow({
      info: {
        workflowType,
        runId,
        workflowId: `provision/${runId}`,
        namespace: 'default',
        firstExecutionRunId: runId,
        originalExecutionRunId: runId,
        attempt: 1,
        taskTimeoutMs: TASK_TIMEOUT_MS,
        taskQueue: 'provision',
        searchAttributes: {},
        typedSearchAttributes: new TypedSearchAttributes(),
        historyLength: HISTORY_BEGINS_AT_EVENT,
        historySize: 0,
        continueAsNewSuggested: false,
        targetWorkerDeploymentVersionChanged: false,
        unsafe: {
          isReplaying: false,
          isReplayingHistoryEvents: false,
          now: () => startedAtMs,
          random: createUnsafeRandomSource(() => 0.5),
        },
        startTime: new Date(startedAtMs),
        runStartTime: new Date(startedAtMs),
      },
      randomnessSeed: RANDOMNESS_SEED,
      now: startedAtMs,
      showStackTraceSources: false,
    });
    return workflow as ReusableVMWorkflow;
  }
}

interface Recorded {
  readonly jobs: readonly Job[];
  readonly nowMs: number;
  readonly commands: readonly Command[];
}

/** One run. What it was told is kept, so that it can be replayed as after the crash of a worker. */
export class WorkflowInstance {
  private readonly history: Recorded[] = [];
  private readonly flags = new Set<number>();
  private workflow: ReusableVMWorkflow | null = null;
  private queries = 0;

  constructor(
    private readonly code: WorkflowCode,
    private readonly runId: string,
    private readonly workflowType: string,
    private readonly startedAtMs: number,
  ) {}

  /** Throws when the workflow task fails: in workflow code that is a bug. */
  async activate(jobs: readonly Job[], nowMs: number): Promise<readonly Command[]> {
    const workflow = await this.cached();
    const commands = await this.complete(workflow, jobs, nowMs, false);
    this.history.push({ jobs: remembered(jobs, commands), nowMs, commands });
    return commands;
  }

  async query(name: string): Promise<unknown> {
    const workflow = await this.cached();
    this.queries += 1;
    // The runtime takes a query as protobufjs decoded it, so with the name of the field that is set.
    const query = { queryId: `q${this.queries}`, queryType: name, arguments: [] };
    const job: Job = Object.assign({ queryWorkflow: query }, { variant: 'queryWorkflow' as const });
    const { successful, failed } = await workflow.activate({ runId: this.runId, jobs: [job] });
    const response = successful?.commands?.[0]?.respondToQuery?.succeeded?.response;
    if (response === undefined || response === null) throw new Error(`query ${name}: ${JSON.stringify(failed)}`);
    return defaultPayloadConverter.fromPayload(response);
  }

  /** The worker is gone, and with it what it had in memory. */
  async evict(): Promise<void> {
    const { workflow } = this;
    this.workflow = null;
    await workflow?.dispose();
  }

  /** The instance in memory, or one that was brought by replay to where the history ends. Throws when replay decides otherwise. */
  private async cached(): Promise<ReusableVMWorkflow> {
    if (this.workflow !== null) return this.workflow;
    const workflow = await this.code.open(this.runId, this.workflowType, this.startedAtMs);
    this.workflow = workflow;
    for (const { jobs, nowMs, commands } of this.history) {
      if (jobs.length === 0) continue;
      const again = await this.complete(workflow, jobs, nowMs, true);
      const [was, is] = [commands, again].map((list) => list.map(decision).filter((text) => text !== null));
      if (!isDeepStrictEqual(was, is))
        throw new Error(`replay decides otherwise: ${JSON.stringify(was)} became ${JSON.stringify(is)}`);
    }
    return workflow;
  }

  private async complete(
    workflow: ReusableVMWorkflow,
    jobs: readonly Job[],
    nowMs: number,
    isReplaying: boolean,
  ): Promise<readonly Command[]> {
    const { successful, failed } = await workflow.activate({
      runId: this.runId,
      timestamp: msToTs(nowMs),
      jobs: inOrder(jobs),
      isReplaying,
      historyLength: HISTORY_BEGINS_AT_EVENT + this.history.length,
      availableInternalFlags: [...this.flags],
    });
    if (!successful) throw new Error(`the workflow task fails: ${failed?.failure?.message ?? 'no reason given'}`);
    for (const flag of successful.usedInternalFlags ?? []) this.flags.add(flag);
    return successful.commands ?? [];
  }
}

/** As core hands them over: the start first, then messages, then everything else. */
function inOrder(jobs: readonly Job[]): Job[] {
  const rank = (job: Job): number => (job.initializeWorkflow ? 0 : job.signalWorkflow || job.doUpdate ? 1 : 2);
  return jobs.toSorted((a, b) => rank(a) - rank(b));
}

/** An update that was refused leaves no trace in the history; one that was accepted is not validated again. */
function remembered(jobs: readonly Job[], commands: readonly Command[]): readonly Job[] {
  const refused = new Set(
    commands.flatMap(({ updateResponse: r }) => (r?.rejected ? [r.protocolInstanceId ?? ''] : [])),
  );
  return jobs
    .filter(({ doUpdate }) => !refused.has(doUpdate?.protocolInstanceId ?? ''))
    .map((job) => (job.doUpdate ? { ...job, doUpdate: { ...job.doUpdate, runValidator: false } } : job));
}

/** A command as text, without what tells nothing of the decision; null for a refusal, which is not replayed. */
function decision(command: Command): string | null {
  if (command.updateResponse?.rejected) return null;
  return JSON.stringify(command, (key, value: unknown) => {
    if (key === 'stackTrace') return undefined;
    return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
  });
}
