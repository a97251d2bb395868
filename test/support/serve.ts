/**
 * A worker for one site, in this process: workflows and activities on queues of that site's name, so that files of a tier share a server.
 * @module
 */
import {
  DefaultLogger,
  Runtime,
  Worker,
  makeTelemetryFilterString,
  type NativeConnection,
  type WorkerDeploymentOptions,
} from '@temporalio/worker';
import { inject } from 'vitest';
import { hostQueue, watchQueue } from '../../src/domain/run/messages.js';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

/** `forceMs`: after that, activities that still run at the end are given up. Resolves to what ends it, when it polls. */
export async function serve(
  connection: NativeConnection,
  site: string,
  activities: object,
  forceMs: number,
  version: { readonly workerDeploymentOptions?: WorkerDeploymentOptions } = {},
): Promise<() => Promise<void>> {
  const common = { connection, shutdownGraceTime: 100, shutdownForceTime: forceMs, ...version };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: site, workflowBundle: { codePath: inject('workflowBundle') } }),
    Worker.create({ ...common, taskQueue: hostQueue(site), activities }),
    Worker.create({ ...common, taskQueue: watchQueue(site), activities }),
  ]);
  const ended = Promise.all(workers.map((worker) => worker.run()));
  return async () => {
    for (const worker of workers) worker.shutdown();
    await ended;
  };
}
