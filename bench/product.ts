/**
 * The product's worker as anybody runs it, a process of its own, and a client for its runs.
 * @module
 */
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { openDemoFolder } from '../lab/demo/folder.js';
import { demoEnv, startWorker } from '../lab/demo/programs.js';
import { connectProvision, type ProvisionClient } from '../src/client.js';
import { WORKFLOW_QUEUE } from '../src/domain/run/messages.js';

export interface ProductOptions {
  /** Of the Temporal server. */
  readonly address: string;
  readonly namespace: string;
  /** Whose hosts the worker serves, besides the workflows of all sites. */
  readonly site: string;
  /** The compiled command, where it is not the one that is compiled with this file. */
  readonly main?: string;
}

export interface Product {
  readonly provision: ProvisionClient;
  /** For what only Temporal knows of a run. */
  readonly temporal: Client;
  /** To write to; gone with the product. */
  readonly folder: string;
  /** Resident memory of the worker, MiB. Linux only. */
  workerMemory(): Promise<number>;
}

export async function withProduct<T>(options: ProductOptions, body: (product: Product) => Promise<T>): Promise<T> {
  const { address, namespace, site, main } = options;
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-bench-'));
  const connection = await Connection.connect({ address });
  const provision = await connectProvision({ address, namespace, env: {} });
  try {
    const { temporalConfig, workerLog: logFile } = await openDemoFolder(join(folder, 'worker'));
    const env = demoEnv(address, namespace, temporalConfig);
    const program = {
      words: ['--site', site, '--artifacts', join(folder, 'artifacts')],
      site,
      env,
      logFile,
      ...(main === undefined ? {} : { main }),
    };
    const worker = await startWorker(program, provision);
    try {
      const temporal = new Client({ connection, namespace });
      const workerMemory = async (): Promise<number> => residentMiB(await workerPid(temporal));
      return await body({ provision, temporal, folder, workerMemory });
    } finally {
      await worker.stop();
    }
  } finally {
    await provision.close();
    await connection.close();
    await rm(folder, { recursive: true });
  }
}

/** A worker ends its identity with its process id; our child is the shell that watches over it. */
async function workerPid({ workflowService, options: { namespace } }: Client): Promise<number> {
  const taskQueue = { name: WORKFLOW_QUEUE };
  // Left out, it asks for the pollers of workflow tasks.
  const { pollers } = await workflowService.describeTaskQueue({ namespace, taskQueue });
  const pids = new Set(pollers.map(({ identity }) => identity?.split('/').at(-1)));
  const [pid] = pids;
  if (pids.size !== 1 || pid === undefined || !/^\d+$/.test(pid))
    throw new Error(`one worker should poll ${WORKFLOW_QUEUE}; found ${[...pids].join(', ') || 'none'}`);
  return Number(pid);
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kib) / 1024;
}
