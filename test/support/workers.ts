/**
 * The workers of one site: workflows and activities on queues of that site's name, so that many sites share a server.
 * @module
 */
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { hostQueue, watchQueue } from '../../src/domain/run/messages.js';

/** Heartbeats are sent this often at most: a cancel reaches an activity with one. */
const HEARTBEAT_MS = 200;

export interface SiteWorkers {
  readonly connection: NativeConnection;
  readonly site: string;
  readonly activities: object;
  /** File of the workflow bundle. */
  readonly codePath: string;
  readonly more?: Partial<WorkerOptions>;
}

export function createWorkers({ connection, site, activities, codePath, more }: SiteWorkers): Promise<Worker[]> {
  const common = { connection, shutdownGraceTime: 100, maxHeartbeatThrottleInterval: HEARTBEAT_MS, ...more };
  return Promise.all([
    Worker.create({ ...common, taskQueue: site, workflowBundle: { codePath } }),
    Worker.create({ ...common, taskQueue: hostQueue(site), activities }),
    Worker.create({ ...common, taskQueue: watchQueue(site), activities }),
  ]);
}
