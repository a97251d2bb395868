/**
 * Temporal's part in a simulated run: timers, activities with their retries and timeouts, messages, and workflow tasks, on a virtual
 * clock. What it recorded survives every crash; the rest is late.
 * @module
 */
import { defaultPayloadConverter, type ApplicationFailure } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { StepInput } from '../../src/activities/define-step.js';
import { WORKFLOW_TYPE, type ProvisionInput } from '../../src/domain/run/messages.js';
import {
  activityState,
  applicationFailure,
  cancelledResult,
  completedResult,
  failedResult,
  nextAttemptMs,
  timeoutFailure,
  type TIMEOUTS,
  type ActivityState,
  type Attempt,
  type AttemptEnd,
} from './activity-state.js';
import type { VirtualClock } from './clock.js';
import type { Command, Job, Payload, WorkflowInstance } from './workflow-instance.js';

/** What a worker is told of an attempt. */
export interface Task {
  readonly name: string;
  readonly input: StepInput;
  readonly call: number;
  readonly attempt: number;
  readonly heartbeatMs: number;
}

export interface ActivityWorker {
  /** Must not report before it has returned. */
  start(task: Task, report: (end: AttemptEnd) => void): Attempt;
}

export type UpdateReply = { readonly accepted: unknown } | { readonly refused: string };
export type Closed = 'completed' | 'failed' | 'cancelled';

/** Between an event and the workflow task that tells of it: what comes meanwhile is told with it. */
const TASK_LATENCY_MS = 20;
const DISPATCH_LATENCY_MS = 10;

export class SimulatedTemporal {
  closed: Closed | null = null;
  /** The open question, as the search attribute says. */
  gate: string | null = null;
  tasks = 0;
  /** Names of activities, in the order in which the workflow scheduled them. */
  readonly scheduled: string[] = [];
  private readonly activities = new Map<number, ActivityState>();
  private readonly timers = new Set<number>();
  private readonly calls = new Map<string, number>();
  private readonly replies = new Map<string, (reply: UpdateReply) => void>();
  private readonly left = new Map<ActivityState, string>();
  private jobs: Job[] = [];
  private taskIsDue = false;
  private cancelled = false;
  private serverBackMs = 0;
  private workerBackMs = 0;
  private updates = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly instance: WorkflowInstance,
    private readonly worker: ActivityWorker,
    private readonly note: (text: string) => void,
  ) {}

  start(input: ProvisionInput): void {
    const args = [defaultPayloadConverter.toPayload(input)];
    this.push({ initializeWorkflow: { workflowId: 'run', workflowType: WORKFLOW_TYPE, arguments: args } });
  }

  signal(signalName: string, arg: unknown): void {
    this.whenServerIsUp(() =>
      this.push({ signalWorkflow: { signalName, input: [defaultPayloadConverter.toPayload(arg)] } }),
    );
  }

  update(name: string, arg: unknown, reply: (reply: UpdateReply) => void): void {
    this.updates += 1;
    const id = `u${this.updates}`;
    this.replies.set(id, reply);
    const input = [defaultPayloadConverter.toPayload(arg)];
    this.whenServerIsUp(() => this.push({ doUpdate: { id, protocolInstanceId: id, name, input, runValidator: true } }));
  }

  /** The second cancel of a run is never delivered. */
  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.whenServerIsUp(() => this.push({ cancelWorkflow: {} }));
  }

  status(): Promise<unknown> {
    return this.instance.query('status');
  }

  /** Nothing that was recorded is lost. Attempts that could not heartbeat for too long are given up when it is back. */
  serverIsDown(ms: number): void {
    this.serverBackMs = Math.max(this.serverBackMs, this.clock.nowMs + ms);
    for (const activity of this.activities.values())
      if (activity.running !== null && ms >= activity.heartbeatMs)
        this.expect(this.serverBackMs, activity, activity.attempt, 'heartbeat');
  }

  /** Every attempt is lost, and the workflow is replayed by the next worker. */
  workerIsKilled(ms: number): Promise<void> {
    this.workerBackMs = Math.max(this.workerBackMs, this.clock.nowMs + ms);
    for (const activity of this.activities.values()) {
      if (activity.running === null) continue;
      activity.running.kill();
      this.left.delete(activity);
      this.isSilent(activity);
    }
    return this.instance.evict();
  }

  /** Activities whose cancellation the workflow did not wait for, and which have not ended. */
  leftRunning(): readonly string[] {
    return [...this.left.values()];
  }

  /** The attempt of an activity heartbeats no more: its event loop hangs, or its connection to the server. */
  stopsHeartbeating({ name, call }: Task): void {
    for (const activity of this.activities.values())
      if (activity.name === name && activity.call === call) this.isSilent(activity);
  }

  private isSilent(activity: ActivityState): void {
    this.expect(this.clock.nowMs + activity.heartbeatMs, activity, activity.attempt, 'heartbeat');
  }

  private push(job: Job): void {
    if (this.closed !== null) return;
    this.jobs.push(job);
    if (this.taskIsDue) return;
    this.taskIsDue = true;
    this.clock.after(TASK_LATENCY_MS, () => this.task());
  }

  private async task(): Promise<void> {
    const upMs = Math.max(this.serverBackMs, this.workerBackMs);
    if (this.clock.nowMs < upMs) return this.clock.at(upMs, () => this.task());
    const { jobs } = this;
    this.jobs = [];
    this.taskIsDue = false;
    this.tasks += 1;
    for (const command of await this.instance.activate(jobs, this.clock.nowMs)) this.obey(command);
  }

  private obey(command: Command): void {
    if (command.scheduleActivity) return this.schedule(command.scheduleActivity);
    if (command.requestCancelActivity) return this.requestCancel(command.requestCancelActivity.seq ?? 0);
    if (command.startTimer) {
      const seq = command.startTimer.seq ?? 0;
      this.timers.add(seq);
      this.clock.after(tsToMs(command.startTimer.startToFireTimeout), () =>
        this.whenServerIsUp(() => {
          if (this.timers.delete(seq)) this.push({ fireTimer: { seq } });
        }),
      );
    } else if (command.cancelTimer) this.timers.delete(command.cancelTimer.seq ?? 0);
    else if (command.updateResponse) this.reply(command.updateResponse);
    else if (command.upsertWorkflowSearchAttributes) this.index(command.upsertWorkflowSearchAttributes);
    else if (command.completeWorkflowExecution) this.close('completed');
    else if (command.failWorkflowExecution) this.close('failed');
    else if (command.cancelWorkflowExecution) this.close('cancelled');
    else if (!command.modifyWorkflowProperties)
      throw new Error(`a command that is not simulated: ${Object.keys(command).join(', ')}`);
  }

  private close(how: Closed): void {
    this.closed = how;
    for (const activity of this.activities.values()) activity.running?.requestCancel();
    this.activities.clear();
    this.timers.clear();
  }

  private reply({ protocolInstanceId, rejected, completed }: NonNullable<Command['updateResponse']>): void {
    const id = protocolInstanceId ?? '';
    if (!rejected && !completed) return;
    const reply = this.replies.get(id);
    this.replies.delete(id);
    reply?.(
      rejected
        ? { refused: rejected.message ?? '' }
        : { accepted: defaultPayloadConverter.fromPayload(completed as Payload) },
    );
  }

  private index({ searchAttributes }: NonNullable<Command['upsertWorkflowSearchAttributes']>): void {
    const fields = searchAttributes?.indexedFields ?? (searchAttributes as Record<string, Payload> | null | undefined);
    const gate = fields?.['ProvisionGate'];
    if (gate === undefined) return;
    const value: unknown = gate.data?.length ? JSON.parse(Buffer.from(gate.data).toString('utf8')) : null;
    this.gate = typeof value === 'string' && value !== '' ? value : null;
  }

  private schedule(command: NonNullable<Command['scheduleActivity']>): void {
    const name = command.activityType ?? '';
    const call = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, call);
    this.scheduled.push(name);
    const activity = activityState(command, call, this.clock.nowMs);
    this.activities.set(activity.seq, activity);
    this.expect(activity.deadlineMs, activity, null, 'scheduleToClose');
    this.clock.after(DISPATCH_LATENCY_MS, () => this.dispatch(activity));
  }

  private dispatch(activity: ActivityState): void {
    if (activity.closed) return;
    const upMs = Math.max(this.serverBackMs, this.workerBackMs);
    if (this.clock.nowMs < upMs) return this.clock.at(upMs, () => this.dispatch(activity));
    activity.attempt += 1;
    const { name, input, call, attempt, heartbeatMs } = activity;
    this.expect(this.clock.nowMs + activity.startToCloseMs, activity, attempt, 'startToClose');
    activity.running = this.worker.start({ name, input, call, attempt, heartbeatMs }, (end) => {
      this.left.delete(activity);
      this.whenServerIsUp(() => {
        if (!activity.closed && activity.running !== null && activity.attempt === attempt) this.end(activity, end);
      });
    });
  }

  private end(activity: ActivityState, end: AttemptEnd): void {
    activity.running = null;
    if ('completed' in end) this.resolve(activity, completedResult(end.completed));
    else if ('cancelled' in end) this.resolve(activity, cancelledResult(activity));
    else this.retry(activity, end.failed, () => failedResult(activity, applicationFailure(end.failed)));
  }

  private retry(
    activity: ActivityState,
    error: ApplicationFailure | null,
    result: () => ReturnType<typeof failedResult>,
  ): void {
    const nextMs = nextAttemptMs(activity, error, this.clock.nowMs);
    if (nextMs === null) this.resolve(activity, result());
    else this.clock.at(nextMs, () => this.dispatch(activity));
  }

  /** Lets a timeout happen unless the attempt (null: the whole activity) has ended before. */
  private expect(atMs: number, activity: ActivityState, attempt: number | null, kind: keyof typeof TIMEOUTS): void {
    this.clock.at(atMs, () =>
      this.whenServerIsUp(() => {
        if (activity.closed || (attempt !== null && (activity.attempt !== attempt || activity.running === null)))
          return;
        // Told at its next heartbeat that nobody waits for it any more.
        activity.running?.requestCancel();
        activity.running = null;
        const result = (): ReturnType<typeof failedResult> => failedResult(activity, timeoutFailure(kind));
        if (kind === 'scheduleToClose') this.resolve(activity, result());
        else this.retry(activity, null, result);
      }),
    );
  }

  private requestCancel(seq: number): void {
    const activity = this.activities.get(seq);
    if (activity === undefined || activity.closed) return;
    activity.cancelRequested = true;
    activity.running?.requestCancel();
    if (!activity.waitsForCancellation && activity.running !== null) this.left.set(activity, activity.name);
    // Core doesn't wait where the workflow doesn't want it to; the server doesn't wait for an attempt that has not begun.
    if (!activity.waitsForCancellation || activity.running === null) this.resolve(activity, cancelledResult(activity));
  }

  private resolve(activity: ActivityState, result: ReturnType<typeof failedResult>): void {
    activity.closed = true;
    this.activities.delete(activity.seq);
    if (!result?.completed)
      this.note(`${activity.name} ended: ${result?.failed?.failure?.cause?.message ?? 'cancelled'}`);
    this.push({ resolveActivity: { seq: activity.seq, result: result ?? null } });
  }

  private whenServerIsUp(act: () => void): void {
    if (this.clock.nowMs < this.serverBackMs) this.clock.at(this.serverBackMs, () => this.whenServerIsUp(act));
    else act();
  }
}
