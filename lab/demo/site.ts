/**
 * What a demo is played on: Temporal with its UI, a rack with BMCs, the inventory that describes it, and the product's worker.
 * @module
 */
import { join } from 'node:path';
import { connectProvision, type ProvisionClient } from '../../src/client.js';
import { startBmcOf } from '../rack/bmc/index.js';
import type { FaultRule } from '../rack/faults.js';
import { startRack, type Rack } from '../rack/index.js';
import type { Child } from '../tools/child.js';
import { kubeApiserver } from '../tools/kube-apiserver.js';
import { startTemporal, type TemporalServer } from '../tools/start-temporal.js';
import type { DemoDurations } from './faults.js';
import { NODE_IPS, SITE, writeInventory, type DemoFolder, type DemoServer } from './folder.js';
import { demoEnv, startWorker, type Env } from './programs.js';

const BMC_LOGIN = { user: 'admin', password: 'demo-rack-only' };
/** Where people look for them; another one when it is taken. */
const TEMPORAL_PORT = 7233;
const UI_PORT = 8233;

export interface DemoSiteOptions {
  readonly servers: readonly { readonly name: string; readonly serial: string }[];
  readonly faults: readonly FaultRule[];
  readonly durations: DemoDurations;
  /** Called with what closes each part, as soon as it is there. */
  readonly onEnd: (close: () => Promise<unknown>) => void;
}

export interface DemoSite {
  readonly temporal: TemporalServer;
  readonly rack: Rack;
  readonly servers: readonly DemoServer[];
  readonly client: ProvisionClient;
  /** Of the product's commands. */
  readonly env: Env;
  startWorker(): Promise<Child>;
}

export async function openDemoSite(folder: DemoFolder, options: DemoSiteOptions): Promise<DemoSite> {
  const { onEnd } = options;
  // Minutes the first time; not while a step waits for k3s.
  await kubeApiserver();
  const temporal = await startTemporal({
    dbFile: folder.database,
    logFile: folder.temporalLog,
    port: TEMPORAL_PORT,
    uiPort: UI_PORT,
  });
  onEnd(() => temporal.stop());
  const rack = await startRack({
    hosts: options.servers.map((server, i) => ({ ...server, nodeIP: NODE_IPS[i] ?? '' })),
    faults: options.faults,
  });
  onEnd(() => rack.close());
  const servers: DemoServer[] = [];
  for (const host of rack.hosts) {
    const bmc = await startBmcOf(host, BMC_LOGIN);
    onEnd(() => bmc.close());
    servers.push({ host, bmc });
  }
  await writeInventory(folder, { rack, servers, bmcLogin: BMC_LOGIN, durations: options.durations });

  const { address, namespace } = temporal;
  const client = await connectProvision({ address, namespace });
  onEnd(() => client.close());
  const env = demoEnv(address, namespace, folder.temporalConfig);
  // Not where a worker of the field keeps it, in the home of whoever tries the demo.
  const words = ['--inventory', folder.inventory, '--artifacts', join(process.cwd(), folder.path, 'artifacts')];
  return {
    temporal,
    rack,
    servers,
    client,
    env,
    startWorker: () => startWorker({ words, site: SITE, env, logFile: folder.workerLog }, client),
  };
}
