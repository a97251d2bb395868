/**
 * What waiting adds to a run's history. On the time-skipping server: a day passes in seconds.
 * @module
 */
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startTestServer } from '../lab/tools/start-test-server.js';
import { NAMESPACE } from '../lab/tools/temporal-ready.js';
import { WORKFLOW_QUEUE, WORKFLOW_TYPE, workflowId, type ProvisionInput } from '../src/domain/run/messages.js';
import { ProvisionRun } from '../test/support/provision-run.js';
import { connectTimeSkipping } from '../test/support/time-skipping.js';
import { World } from '../test/workflow/world.js';
import type { Figure } from './figures.js';
import { modelledServer, withModelledSite } from './modelled-site.js';

const HOURS = [1, 6, 24] as const;
const MONTH_SECONDS = 30 * 86_400;
const LOOK_EVERY_MS = 100;
/** A reminder may be due at the very hour at which we look. */
const WORK_OF_A_REMINDER = '1m';
const PHASES = ['preflight', 'node-preparation', 'k3s', 'gpu-isolation'] as const;

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

interface Wait {
  readonly name: string;
  readonly server: string;
  /** What the modelled server does. */
  readonly world: () => World;
  /** Resolves when the wait has begun. */
  readonly begin: (run: ProvisionRun) => Promise<unknown>;
}

const WAITS: readonly Wait[] = [
  {
    name: 'the reboot waits for its approval, reminders every 4 h',
    server: 'asks',
    world: () => new World(),
    begin: (run) => run.untilAsked('reboot'),
  },
  {
    name: 'the host is away after its reboot',
    server: 'is-away',
    world: () => Object.assign(new World(), { behaviours: ['hangs'] }),
    begin: async (run) => {
      await run.approve();
      await run.until(({ reboot }) => reboot !== null && reboot.leftAt !== null);
    },
  },
  {
    name: 'a failed phase is parked, reminders every 4 h',
    server: 'parked',
    world: () => Object.assign(new World(), { faults: [{ at: 'k3s.await-node', type: 'ClusterConflict' }] }),
    begin: (run) => run.untilAsked('parked:k3s'),
  },
];

const worldOf = (name: string): World => WAITS.find(({ server }) => server === name)?.world() ?? new World();

/** One figure for each wait and how long it lasts. */
export async function benchWaiting(): Promise<readonly Figure[]> {
  const server = await startTestServer();
  try {
    const time = await connectTimeSkipping(server.address);
    try {
      const site = { address: server.address, namespace: NAMESPACE, workflows: true };
      return await withModelledSite(site, worldOf, async () => {
        const figures: Figure[] = [];
        for (const wait of WAITS) figures.push(...(await measure(time, wait)));
        return figures;
      });
    } finally {
      await time.teardown();
    }
  } finally {
    await server.stop();
  }
}

async function measure(time: TestWorkflowEnvironment, { name, server, begin }: Wait): Promise<readonly Figure[]> {
  const spec = modelledServer(server, {
    // So that nothing but the wait happens meanwhile.
    approvalExpiresSeconds: MONTH_SECONDS,
    ladder: { waitSeconds: MONTH_SECONDS, lookSeconds: 1, gracefulSeconds: 1, powerCycleSeconds: 1 },
  });
  const input: ProvisionInput = { spec, phases: PHASES, startedBy: 'bench' };
  const handle = await time.client.workflow.start(WORKFLOW_TYPE, {
    workflowId: workflowId(server),
    taskQueue: WORKFLOW_QUEUE,
    args: [input],
  });
  const run = new ProvisionRun(handle, { lookEveryMs: LOOK_EVERY_MS });
  await begin(run);
  const size = async (): Promise<{ events: number; bytes: number }> => {
    // Answered when what has happened until now is in the history.
    await run.status();
    const history = await handle.fetchHistory();
    return { events: history.events?.length ?? 0, bytes: encodedBytes(history) };
  };
  const before = await size();
  const figures: Figure[] = [];
  let passed = 0;
  for (const hours of HOURS) {
    await time.sleep(`${hours - passed}h`);
    await time.sleep(WORK_OF_A_REMINDER);
    passed = hours;
    const { events, bytes } = await size();
    figures.push({ name: `${name}: ${hours} h`, unit: 'events', values: [events - before.events] });
    figures.push({ name: `${name}: ${hours} h, size`, unit: 'bytes', values: [bytes - before.bytes] });
  }
  await handle.terminate('measured');
  return figures;
}

/** As protobuf, which is what the server stores and counts; the time-skipping one does not tell. */
function encodedBytes(history: History): number {
  const message = history.constructor as unknown as { encode(history: History): { finish(): Uint8Array } };
  return message.encode(history).finish().byteLength;
}
