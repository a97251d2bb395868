/**
 * The workers of one site, in this process.
 * @module
 */
import {
  DefaultLogger,
  Runtime,
  makeTelemetryFilterString,
  type NativeConnection,
  type WorkerDeploymentOptions,
} from '@temporalio/worker';
import { inject } from 'vitest';
import { createWorkers } from './workers.js';

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
  const more = { shutdownForceTime: forceMs, ...version };
  const workers = await createWorkers({ connection, site, activities, codePath: inject('workflowBundle'), more });
  const ended = Promise.all(workers.map((worker) => worker.run()));
  return async () => {
    for (const worker of workers) worker.shutdown();
    await ended;
  };
}
