/**
 * The policy table's times for tests, in the workflow bundle: the next attempt comes at once, and where a run's memo says so, one that hangs
 * is noticed in seconds. Deadlines over all attempts stay as they are.
 * @module
 */
import { workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** Key of the memo, in milliseconds. */
export const HEARTBEAT_MEMO = 'matrixHeartbeatMs';

const RETRY = { initialInterval: 100, maximumInterval: 1_000 };

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity: (input, next) => {
        const { options } = input;
        const heartbeatMs = workflowInfo().memo?.[HEARTBEAT_MEMO];
        return next({
          ...input,
          options: {
            ...options,
            retry: { ...options.retry, ...RETRY },
            ...(typeof heartbeatMs === 'number' ? { heartbeatTimeout: heartbeatMs } : {}),
          },
        });
      },
    },
  ],
});
