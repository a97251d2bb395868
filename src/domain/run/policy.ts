/**
 * Every timeout and retry of an activity, in one table, with the reason. Times in seconds. It lives in `domain` because workflows
 * read it and may import nothing else.
 * @module
 */
import type { StepPolicy } from './steps.js';

export interface ActivityPolicy {
  /** One attempt. */
  readonly startToCloseSeconds: number;
  /** All attempts together; null where the caller gives it (the patience of a rung, the deadline of a phase). */
  readonly scheduleToCloseSeconds: number | null;
  readonly heartbeatSeconds: number;
  readonly firstRetrySeconds: number;
  readonly backoff: number;
  readonly slowestRetrySeconds: number;
  /** Attempts within the deadline; without a limit where left out. */
  readonly attempts?: number;
  /** Where it runs: `host` changes things, `watch` only looks or waits and must not hold changes up. */
  readonly queue: 'host' | 'watch';
  readonly why: string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/**
 * After this long without a sign of life an attempt is given up, and the next worker begins another: what a killed worker costs. A timer gives
 * the sign, whatever the attempt waits for, so slow work needs no longer one. Shorter, and a Temporal server that restarts would look like it.
 */
const HEARTBEAT_SECONDS = 20;

const BMC = {
  startToCloseSeconds: 5 * MINUTE,
  scheduleToCloseSeconds: 15 * MINUTE,
  // Longer: what is done once and lost counts as done, so it is not given up while Temporal restarts.
  heartbeatSeconds: MINUTE,
  firstRetrySeconds: 5,
  backoff: 2,
  slowestRetrySeconds: MINUTE,
  queue: 'watch',
} as const;

const AUDIT = {
  startToCloseSeconds: MINUTE,
  scheduleToCloseSeconds: HOUR,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  firstRetrySeconds: 1,
  backoff: 2,
  slowestRetrySeconds: MINUTE,
  queue: 'watch',
} as const;

export const POLICIES = {
  read: {
    startToCloseSeconds: 10 * MINUTE,
    scheduleToCloseSeconds: 30 * MINUTE,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 5,
    backoff: 2,
    slowestRetrySeconds: MINUTE,
    queue: 'watch',
    why: 'Reading is safe to repeat. Half an hour covers a network change window; then a person should look.',
  },
  verify: {
    startToCloseSeconds: 10 * MINUTE,
    scheduleToCloseSeconds: 40 * MINUTE,
    heartbeatSeconds: MINUTE,
    firstRetrySeconds: 10,
    backoff: 2,
    slowestRetrySeconds: 20,
    attempts: 3,
    queue: 'watch',
    why: 'Three looks within half a minute: a pod that restarts is no drift, and what stays away is told soon. Opening big images takes minutes.',
  },
  change: {
    startToCloseSeconds: 20 * MINUTE,
    scheduleToCloseSeconds: HOUR,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 5,
    backoff: 2,
    slowestRetrySeconds: MINUTE,
    queue: 'host',
    why: 'Seconds on a healthy host; unpacking big images takes minutes. Steps check first, so an attempt may repeat.',
  },
  'long-change': {
    startToCloseSeconds: 90 * MINUTE,
    scheduleToCloseSeconds: 3 * HOUR,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 10,
    backoff: 2,
    slowestRetrySeconds: 2 * MINUTE,
    queue: 'host',
    why: 'apt and update-initramfs run as systemd units; a new attempt finds the unit and goes on waiting for it.',
  },
  'cluster-change': {
    startToCloseSeconds: 5 * MINUTE,
    scheduleToCloseSeconds: 30 * MINUTE,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 2,
    backoff: 2,
    slowestRetrySeconds: 30,
    queue: 'host',
    why: 'Applies are idempotent; the API of a young single-node cluster goes away for minutes at a time.',
  },
  'cluster-wait': {
    startToCloseSeconds: 2 * MINUTE,
    scheduleToCloseSeconds: 90 * MINUTE,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 1,
    backoff: 1.5,
    slowestRetrySeconds: 15,
    queue: 'watch',
    why: 'Each attempt looks once and throws NotReadyYet, so waiting adds nothing to the history. LINSTOR alone takes 9 min, a driver build 20.',
  },
  undo: {
    startToCloseSeconds: 30 * MINUTE,
    scheduleToCloseSeconds: 2 * HOUR,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 5,
    backoff: 2,
    slowestRetrySeconds: 2 * MINUTE,
    queue: 'host',
    why: 'Undo tries longer than the change did; what then still fails needs hands, it is never given up silently.',
  },
  'await-boot': {
    startToCloseSeconds: MINUTE,
    scheduleToCloseSeconds: null,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 1,
    backoff: 1,
    slowestRetrySeconds: 1,
    queue: 'watch',
    why: 'Each attempt probes for half a minute and throws NotBackYet; the rung of the ladder is the deadline.',
  },
  console: {
    startToCloseSeconds: 24 * HOUR,
    scheduleToCloseSeconds: null,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 1,
    backoff: 2,
    slowestRetrySeconds: MINUTE,
    queue: 'watch',
    why: 'One attempt as long as the reboot, which ends it: between two sessions a panic would be missed. Another one only where the worker was lost.',
  },
  probe: {
    startToCloseSeconds: MINUTE,
    scheduleToCloseSeconds: 5 * MINUTE,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    firstRetrySeconds: 2,
    backoff: 1,
    slowestRetrySeconds: 2,
    queue: 'watch',
    why: 'A fresh look before anybody is power-cycled. It answers even when the host does not.',
  },
  bmc: {
    ...BMC,
    why: 'BMCs are slow and drop sessions; off, settle and on take up to two minutes.',
  },
  'bmc-once': {
    ...BMC,
    attempts: 1,
    why: 'A second attempt would be a second power cycle, and a person approved two. One whose answer is lost counts as done. A graceful restart is asked for once: a host that hangs ignores it for as long as one asks (seen: a quarter of an hour), and the next rung helps.',
  },
  announce: {
    startToCloseSeconds: MINUTE,
    scheduleToCloseSeconds: 15 * MINUTE,
    heartbeatSeconds: MINUTE,
    firstRetrySeconds: 5,
    backoff: 2,
    slowestRetrySeconds: MINUTE,
    queue: 'watch',
    why: 'Nothing waits for it but the end of a run, and that for a minute. A receiver that is away longer than this has people who look elsewhere.',
  },
  audit: {
    ...AUDIT,
    attempts: 4,
    why: 'A line is milliseconds. Four attempts are seconds, and then the run says that its record waits; a worker that is away is waited for.',
  },
  'audit-again': {
    ...AUDIT,
    why: 'After that it is tried for as long as the run lasts, an hour at a time: somebody has to make room.',
  },
} as const satisfies Record<
  | StepPolicy
  | 'verify'
  | 'undo'
  | 'await-boot'
  | 'console'
  | 'probe'
  | 'bmc'
  | 'bmc-once'
  | 'announce'
  | 'audit'
  | 'audit-again',
  ActivityPolicy
>;

export type PolicyName = keyof typeof POLICIES;
