/**
 * Provisions simulated servers with the product's own worker, over real SSH, and takes each run's time apart.
 * @module
 */
import { join } from 'node:path';
import { attend } from '../lab/demo/attend.js';
import { DURATIONS } from '../lab/demo/faults.js';
import { openDemoFolder, SITE, writeInventory } from '../lab/demo/folder.js';
import { startBmcOf } from '../lab/rack/bmc/index.js';
import { startRack, type SimulatedHost } from '../lab/rack/index.js';
import { workflowId } from '../src/domain/run/messages.js';
import type { PhaseName } from '../src/domain/run/phases.js';
import { outcomeOf } from '../src/domain/run/view.js';
import { loadInventory, resolveServer } from '../src/inventory/index.js';
import { merged, type Figure } from './figures.js';
import { readHistory } from './history.js';
import { withProduct, type Product, type ProductOptions } from './product.js';
import { timesOf } from './times.js';

/** What needs only the host: the later phases need a cluster, and so a Kubernetes API server. */
export const HOST_PHASES: readonly PhaseName[] = ['preflight', 'node-preparation', 'gpu-isolation'];

const BMC_LOGIN = { user: 'admin', password: 'bench-rack-only' };

export interface ProvisionBench extends Omit<ProductOptions, 'site'> {
  readonly phases: readonly PhaseName[];
  readonly runs: number;
}

/** One run after the other, each of a server of its own. Throws when one does not end `provisioned`. */
export async function benchProvision(bench: ProvisionBench): Promise<readonly Figure[]> {
  return withProduct({ ...bench, site: SITE }, async (product) => {
    const measured: (readonly Figure[])[] = [];
    for (let run = 1; run <= bench.runs; run += 1) {
      const name = `bench-${run}`;
      measured.push(
        await withServer(name, join(product.folder, name), (host, inventory) =>
          provisionOnce(product, bench.phases, host, inventory),
        ),
      );
    }
    return merged(measured);
  });
}

/** A server as `npm run demo` has it, with its BMC and the inventory that describes it. */
async function withServer<T>(
  name: string,
  path: string,
  body: (host: SimulatedHost, inventory: string) => Promise<T>,
): Promise<T> {
  const rack = await startRack({ hosts: [{ name }] });
  try {
    const host = rack.host(name);
    const bmc = await startBmcOf(host, BMC_LOGIN);
    try {
      const folder = await openDemoFolder(path);
      await writeInventory(folder, { rack, servers: [{ host, bmc }], bmcLogin: BMC_LOGIN, durations: DURATIONS });
      return await body(host, folder.inventory);
    } finally {
      await bmc.close();
    }
  } finally {
    await rack.close();
  }
}

async function provisionOnce(
  { provision, temporal }: Product,
  phases: readonly PhaseName[],
  host: SimulatedHost,
  inventory: string,
): Promise<readonly Figure[]> {
  const server = host.name;
  await provision.start({ spec: resolveServer(loadInventory(inventory), server), phases, startedBy: 'bench' });
  const over = new AbortController();
  const attendance = {
    client: provision,
    host,
    fault: null,
    yes: true,
    restartWorker: async () => {},
    report: () => {},
  };
  await attend(attendance, over.signal);
  const view = await provision.result(server);
  const outcome = outcomeOf(view);
  if (outcome !== 'provisioned') throw new Error(`${server} ended ${outcome}: ${view.status?.failure?.message}`);
  const { historySize } = await temporal.workflow.getHandle(workflowId(server)).describe();
  const approvals = view.status?.decisions.filter(
    ({ gate, choice }) => gate.startsWith('reboot') && choice === 'approve',
  );
  return timesOf({
    history: await readHistory(temporal, server),
    historyBytes: historySize ?? 0,
    busy: host.busy,
    reboots: host.rebootRequests.length,
    approvals: approvals?.length ?? 0,
  });
}
