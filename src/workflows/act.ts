/**
 * The only way workflows call activities: policy, queue and cancellation type come from one table and can't be forgotten.
 * @module
 */
import { proxyActivities } from '@temporalio/workflow';
import type { AllActivities } from '../activities/index.js';
import { hostQueue, watchQueue } from '../domain/run/messages.js';
import { POLICIES, type ActivityPolicy, type PolicyName } from '../domain/run/policy.js';

export interface CallOptions {
  readonly site: string;
  readonly policy: PolicyName;
  /** One line for the Temporal UI. */
  readonly summary: string;
  /** Deadline over all attempts; required where the policy has none. */
  readonly scheduleToCloseSeconds?: number;
}

/** Runs one activity. Throws ActivityFailure, whose cause is an ApplicationFailure with a type of the failure table. */
export async function call<N extends keyof AllActivities>(
  name: N,
  input: Parameters<AllActivities[N]>[0],
  options: CallOptions,
): Promise<Awaited<ReturnType<AllActivities[N]>>> {
  const policy: ActivityPolicy = POLICIES[options.policy];
  const scheduleToClose = options.scheduleToCloseSeconds ?? policy.scheduleToCloseSeconds;
  if (scheduleToClose === null) throw new RangeError(`activity ${name} needs a deadline`);
  const activities = proxyActivities<Record<string, (input: unknown) => Promise<unknown>>>({
    taskQueue: policy.queue === 'host' ? hostQueue(options.site) : watchQueue(options.site),
    summary: options.summary,
    startToCloseTimeout: policy.startToCloseSeconds * 1_000,
    scheduleToCloseTimeout: scheduleToClose * 1_000,
    heartbeatTimeout: policy.heartbeatSeconds * 1_000,
    // The SDK's own default is TRY_CANCEL: compensation would start while the command still runs on the host.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: {
      initialInterval: policy.firstRetrySeconds * 1_000,
      backoffCoefficient: policy.backoff,
      maximumInterval: policy.slowestRetrySeconds * 1_000,
      ...(policy.attempts === undefined ? {} : { maximumAttempts: policy.attempts }),
    },
  });
  const activity = activities[name];
  if (activity === undefined) throw new RangeError(`no activity named ${name}`);
  return (await activity(input)) as Awaited<ReturnType<AllActivities[N]>>;
}
