/**
 * What Temporal says about itself: the namespace, its search attributes, task queues and who polls them.
 * @module
 */
import { type Client, type Connection, isGrpcServiceError } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../domain/run/messages.js';

export interface TemporalHealth {
  /** Search attributes that runs write and the namespace lacks; null where we may not ask. */
  readonly missingAttributes: readonly string[] | null;
}

export interface WorkerVersion {
  readonly deployment: string;
  readonly buildId: string;
}

export interface QueueState {
  /** Workers that polled it lately; the server remembers for about five minutes. */
  readonly pollers: number;
  /** New runs go to it; null: to workers without a version. */
  readonly current: WorkerVersion | null;
}

export type TaskQueueType = NonNullable<Parameters<Client['workflowService']['describeTaskQueue']>[0]['taskQueueType']>;
/** Workflow and activity tasks of one name are two queues; whoever polls either is a worker. */
// oxlint-disable typescript/no-unsafe-enum-assignment -- the enum's values are in @temporalio/proto, which is no dependency of ours.
const WORKFLOW_TASKS = 1 as TaskQueueType;
const ACTIVITY_TASKS = 2 as TaskQueueType;
// oxlint-enable typescript/no-unsafe-enum-assignment

const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

export async function temporalHealth(
  { workflowService, operatorService }: Connection,
  namespace: string,
): Promise<TemporalHealth> {
  await workflowService.describeNamespace({ namespace });
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => !Object.hasOwn(customAttributes ?? {}, name));
    return { missingAttributes: missing };
  } catch (error) {
    // Temporal Cloud keeps this part to itself.
    const kept = isGrpcServiceError(error) && [PERMISSION_DENIED, UNIMPLEMENTED].includes(error.code);
    if (!kept) throw error;
    return { missingAttributes: null };
  }
}

export async function queueState(client: Client, name: string): Promise<QueueState> {
  const { namespace } = client.options;
  const [workflows, activities] = await Promise.all(
    [WORKFLOW_TASKS, ACTIVITY_TASKS].map((taskQueueType) =>
      client.workflowService.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType }),
    ),
  );
  const current = workflows?.versioningInfo?.currentDeploymentVersion;
  const { deploymentName: deployment, buildId } = current ?? {};
  return {
    pollers: Math.max(workflows?.pollers.length ?? 0, activities?.pollers.length ?? 0),
    current: deployment && buildId ? { deployment, buildId } : null,
  };
}
