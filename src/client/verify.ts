/**
 * The drift check, once or at intervals. The schedule is Temporal's own, so that it runs whoever's terminal is closed.
 * @module
 */
import {
  ScheduleAlreadyRunning,
  type Client,
  type ScheduleOptions,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { VERIFY_WORKFLOW_TYPE, verifyWorkflowId, WORKFLOW_QUEUE } from '../domain/run/messages.js';
import type { VerifyInput, VerifySchedule } from '../domain/verify.js';
import { ATTRIBUTE } from './known-run.js';

type VerifyOptions = Pick<WorkflowStartOptions, 'workflowId' | 'staticSummary' | 'typedSearchAttributes' | 'memo'> & {
  readonly workflowId: string;
  readonly args: [VerifyInput];
};

/** A check that was missed for longer than this, since Temporal was away, is left to the next one. */
const CATCH_UP = '1h';

export function verifyOptions(input: VerifyInput): VerifyOptions {
  const { spec, phases } = input;
  return {
    workflowId: verifyWorkflowId(spec.name),
    args: [input] as [VerifyInput],
    staticSummary: `verify ${spec.name}: read-only`,
    typedSearchAttributes: [
      { key: ATTRIBUTE.server, value: spec.name },
      { key: ATTRIBUTE.site, value: spec.site },
    ],
    memo: { site: spec.site, cluster: spec.cluster.name, phases },
  };
}

/** Creates the schedule, or replaces the one there is, and reads it back. */
export async function scheduleVerify(
  client: Client,
  input: VerifyInput,
  everySeconds: number,
): Promise<VerifySchedule> {
  const scheduleId = verifyWorkflowId(input.spec.name);
  const wanted = {
    spec: { intervals: [{ every: everySeconds * 1_000 }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: VERIFY_WORKFLOW_TYPE,
      taskQueue: WORKFLOW_QUEUE,
      ...verifyOptions(input),
    },
    // One that still waits for a worker says as much as two of them.
    policies: { overlap: 'SKIP' as const, catchupWindow: CATCH_UP },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>;
  const handle = client.schedule.getHandle(scheduleId);
  try {
    await client.schedule.create({ scheduleId, ...wanted });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await handle.update((before) => ({ ...wanted, state: before.state }));
  }
  const found = await handle.describe();
  const every = found.spec.intervals?.[0]?.every ?? 0;
  return {
    scheduleId,
    everySeconds: every / 1_000,
    next: found.info.nextActionTimes[0]?.toISOString() ?? null,
  };
}

export async function unscheduleVerify(client: Client, server: string): Promise<void> {
  await client.schedule.getHandle(verifyWorkflowId(server)).delete();
}
