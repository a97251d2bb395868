/**
 * Provisions simulated servers with the product's own worker, over real SSH, and takes each run's time apart.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { attend } from '../lab/demo/attend.js';
import { DURATIONS } from '../lab/demo/faults.js';
import { openDemoFolder, SITE, writeInventory } from '../lab/demo/folder.js';
import { demoEnv, startWorker } from '../lab/demo/programs.js';
import { startBmcOf } from '../lab/rack/bmc/index.js';
import { startRack, type SimulatedHost } from '../lab/rack/index.js';
import { connectProvision, type ProvisionClient } from '../src/client.js';
import { workflowId } from '../src/domain/run/messages.js';
import type { PhaseName } from '../src/domain/run/phases.js';
import { outcomeOf } from '../src/domain/run/view.js';
import { loadInventory, resolveServer } from '../src/inventory/index.js';
import { merged, type Figure } from './figures.js';
import { readHistory } from './history.js';
import { timesOf } from './times.js';

/** What needs only the host: the later phases need a cluster, and so a Kubernetes API server. */
export const HOST_PHASES: readonly PhaseName[] = ['preflight', 'node-preparation', 'gpu-isolation'];

const BMC_LOGIN = { user: 'admin', password: 'bench-rack-only' };

export interface ProvisionBench {
  /** Of the Temporal server. */
  readonly address: string;
  readonly namespace: string;
  readonly phases: readonly PhaseName[];
  readonly runs: number;
  /** The compiled command, where it is not the one that is compiled with this file. */
  readonly main?: string;
}

/** One run after the other, each of a server of its own. Throws when one does not end `provisioned`. */
export async function benchProvision(bench: ProvisionBench): Promise<readonly Figure[]> {
  const { address, namespace, runs, main } = bench;
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-bench-'));
  const connection = await Connection.connect({ address });
  const provision = await connectProvision({ address, namespace, env: {} });
  const { temporalConfig, workerLog } = await openDemoFolder(join(folder, 'worker'));
  const worker = await startWorker(
    {
      words: ['--site', SITE, '--artifacts', join(folder, 'artifacts')],
      site: SITE,
      env: demoEnv(address, namespace, temporalConfig),
      logFile: workerLog,
      ...(main === undefined ? {} : { main }),
    },
    provision,
  );
  try {
    const measured: (readonly Figure[])[] = [];
    for (let run = 1; run <= runs; run += 1) {
      const name = `bench-${bench.phases.length}-${run}`;
      measured.push(
        await withServer(name, join(folder, name), (host, inventory) =>
          provisionOnce(bench, provision, new Client({ connection, namespace }), host, inventory),
        ),
      );
    }
    return merged(measured);
  } finally {
    await worker.stop();
    await provision.close();
    await connection.close();
    await rm(folder, { recursive: true });
  }
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
      await writeInventory(folder, {
        name,
        serial: host.serial,
        sshPort: host.ssh.port,
        bmcUrl: bmc.url,
        bmcFingerprint: bmc.tlsFingerprint,
        bmcCredentials: `${BMC_LOGIN.user}:${BMC_LOGIN.password}`,
        clientKey: rack.clientKey,
        knownHosts: rack.knownHosts,
        durations: DURATIONS,
      });
      return await body(host, folder.inventory);
    } finally {
      await bmc.close();
    }
  } finally {
    await rack.close();
  }
}

async function provisionOnce(
  { phases }: ProvisionBench,
  provision: ProvisionClient,
  client: Client,
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
  const { historySize } = await client.workflow.getHandle(workflowId(server)).describe();
  const approvals = view.status?.decisions.filter(
    ({ gate, choice }) => gate.startsWith('reboot') && choice === 'approve',
  );
  return timesOf({
    history: await readHistory(client, server),
    historyBytes: historySize ?? 0,
    busy: host.busy,
    reboots: host.rebootRequests.length,
    approvals: approvals?.length ?? 0,
  });
}
