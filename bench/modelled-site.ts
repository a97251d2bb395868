/**
 * Servers that are modelled, not simulated: as many as one likes, and their time can be skipped. Their activities are those of the
 * workflow tests, served from this process, so that the product's worker runs workflows and nothing else.
 * @module
 */
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { hostQueue, watchQueue, WORKFLOW_QUEUE } from '../src/domain/run/messages.js';
import type { ServerSpec } from '../src/domain/spec.js';
import { WORKFLOW_BUNDLE_PATHS } from '../src/workflow-bundle-path.js';
import { serverSpec } from '../test/support/server-spec.js';
import { World } from '../test/workflow/world.js';

// Thousands of lines about runs that go as they should would bury the figures.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

const MODELLED_SITE = 'modelled';

export function modelledServer(name: string, boot: Partial<ServerSpec['boot']> = {}): ServerSpec {
  const spec = serverSpec({ name, site: MODELLED_SITE });
  return { ...spec, boot: { ...spec.boot, ...boot } };
}

type Activity = (input: { readonly spec: ServerSpec }) => Promise<unknown>;

export interface ModelledSite {
  /** Of the Temporal server. */
  readonly address: string;
  readonly namespace: string;
  /** Also serve the workflows: Temporal's time-skipping server knows too little for the product's worker and client. */
  readonly workflows?: boolean;
}

/** `worldOf` is asked once for each server. */
export async function withModelledSite<T>(
  { address, namespace, workflows = false }: ModelledSite,
  worldOf: (server: string) => World,
  body: () => Promise<T>,
): Promise<T> {
  const connection = await NativeConnection.connect({ address });
  const activities = dispatched(worldOf);
  const common = { connection, namespace };
  const workflowBundle = { codePath: WORKFLOW_BUNDLE_PATHS.plain };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: hostQueue(MODELLED_SITE), activities }),
    Worker.create({ ...common, taskQueue: watchQueue(MODELLED_SITE), activities }),
    ...(workflows ? [Worker.create({ ...common, taskQueue: WORKFLOW_QUEUE, workflowBundle })] : []),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  try {
    return await Promise.race([body(), running.then(() => Promise.reject(new Error('the modelled site ended')))]);
  } finally {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
    await connection.close();
  }
}

/** Each activity in the world of the server that it is about. */
function dispatched(worldOf: (server: string) => World): Record<string, Activity> {
  const worlds = new Map<string, Record<string, Activity>>();
  const activitiesOf = (server: string): Record<string, Activity> => {
    const known = worlds.get(server) ?? (worldOf(server).activities() as unknown as Record<string, Activity>);
    worlds.set(server, known);
    return known;
  };
  return Object.fromEntries(
    Object.keys(new World().activities()).map((name) => [
      name,
      async (input: Parameters<Activity>[0]) => activitiesOf(input.spec.name)[name]?.(input),
    ]),
  );
}
