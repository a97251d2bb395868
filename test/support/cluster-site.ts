/**
 * The cluster phases' steps on a cluster of the lab, without Temporal: what their tests have in common.
 * @module
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach } from 'vitest';
import type { ClusterApi, ClusterFault, HostDevice, Pace } from '../../lab/cluster/contract.js';
import { linstorClient, type LinstorPool } from '../../lab/cluster/controllers/linstor.js';
import { startClusterApi } from '../../lab/cluster/index.js';
import { DATA_DISK } from '../../lab/rack/options.js';
import { acceptanceSteps } from '../../src/activities/acceptance.js';
import { cozystackSteps } from '../../src/activities/cozystack.js';
import { Evidence } from '../../src/activities/evidence.js';
import type { StepContext, StepImplementation, UndoableStepImplementation } from '../../src/activities/define-step.js';
import { DISK_FACTS } from '../../src/activities/host/facts-scripts.js';
import { RemoteHost } from '../../src/activities/host/remote-host.js';
import { kubevirtSteps } from '../../src/activities/kubevirt.js';
import { nestedClusterSteps } from '../../src/activities/nested-cluster.js';
import { readDiskPlan } from '../../src/activities/storage.js';
import { createClusterProvider } from '../../src/adapters/kubernetes/index.js';
import { KUBECONFIG_PATH } from '../../src/domain/cluster/k3s-layout.js';
import { FAILURES } from '../../src/domain/run/failures.js';
import { stepsOf, type StepResult } from '../../src/domain/run/steps.js';
import type { PhaseName } from '../../src/domain/run/phases.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import { AddressUnreachable, ProvisionError } from '../../src/ports/failure.js';
import type { HostProvider } from '../../src/ports/host.js';
import { suiteWithClusters } from './clusters.js';
import { performStep, type Patience } from './perform-step.js';
import { serverSpec } from './server-spec.js';

export const NESTED = {
  name: 'main',
  tenant: 'workload',
  nodes: 1,
  cpu: 56,
  memory: '512Gi',
  disk: '200Gi',
  gpusPerNode: 2,
};
export const SPEC = serverSpec({ cluster: { ...serverSpec().cluster, nested: [NESTED] } });
const STEPS: Readonly<Record<string, StepImplementation | UndoableStepImplementation>> = {
  ...cozystackSteps,
  ...kubevirtSteps,
  ...nestedClusterSteps,
  ...acceptanceSteps,
};
export const CLUSTER_PHASES: readonly PhaseName[] = ['cozystack', 'kubevirt', 'nested-cluster', 'acceptance'];

export const isolated: readonly HostDevice[] = SPEC.gpus.addresses.map((address, index) => ({
  address,
  id: '10de:2330',
  driver: 'vfio-pci',
  iommuGroup: 29 + index,
}));

suiteWithClusters();
export const POLL = { timeout: 60_000, interval: 100 };

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

export interface Options {
  readonly faults?: readonly ClusterFault[];
  readonly devices?: readonly HostDevice[];
  /** Where a cluster was before; a new one by default. */
  readonly folder?: string;
  /** A pool is there already. */
  readonly pool?: boolean;
  /** When the cluster moves on. */
  readonly pace?: Pace;
}

export interface Site {
  readonly api: ClusterApi;
  readonly folder: string;
  /** What is on the disk. */
  readonly disk: { signature: string; serial: string };
  readonly pools: Map<string, LinstorPool>;
  /** While it is true nothing listens on the addresses of the APIs, and what was connected is cut off. */
  setDown(down: boolean): void;
  context(spec?: ServerSpec, run?: string): StepContext;
}

export const DISK_ID = `/dev/disk/by-id/${DATA_DISK.id}`;
const DISK_PATH = `/dev/${DATA_DISK.name}`;

/** What the disk script prints. */
function diskFacts({ signature, serial }: Site['disk']): string {
  const block = { name: DATA_DISK.name, type: 'disk', size: DATA_DISK.bytes, model: DATA_DISK.model, serial };
  const wipefs = signature === '' ? '' : `0.wipefs\t${signature}\n`;
  return `0.device\t${DISK_PATH}\n0.lsblk.rc\t0\n0.lsblk\t${JSON.stringify({ blockdevices: [block] })}\n0.wipefs.rc\t0\n${wipefs}0.blkid.rc\t2\nend\tok\n`;
}

/** The command behind lock and fence. */
function innerOf(argv: readonly string[]): readonly string[] {
  const k3s = argv.indexOf('/usr/local/bin/k3s');
  return k3s < 0 ? argv : argv.slice(k3s);
}

export async function start({
  faults = [],
  folder,
  devices = isolated,
  pool = false,
  pace,
}: Options = {}): Promise<Site> {
  const place = folder ?? (await temporaryFolder());
  const api = await startClusterApi({
    nodeName: SPEC.name,
    nodeIP: SPEC.nodeIP,
    version: SPEC.cluster.k3s.version,
    devices: () => devices,
    folder: place,
    faults,
    ...(pace === undefined ? {} : { pace }),
  });
  closing.push(() => api.close());
  const disk = { signature: '', serial: DATA_DISK.serial };
  const pools = new Map<string, LinstorPool>(pool ? [['data', { kind: 'ZFS', bytes: 1e12, props: {} }]] : []);
  const answer = (argv: readonly string[]): { stdout: string; stderr: string; exitCode: number } => {
    const inner = innerOf(argv);
    if (inner.includes('linstor'))
      return linstorClient(
        {
          node: SPEC.name,
          disks: [{ path: DISK_PATH, bytes: DATA_DISK.bytes, isEmpty: disk.signature === '' }],
          pools,
          taken: (_, signature) => void (disk.signature = signature),
        },
        inner.slice(inner.indexOf('linstor') + 1),
      );
    if (argv.includes(DISK_FACTS)) return { stdout: diskFacts(disk), stderr: '', exitCode: 0 };
    if (argv[0] === 'cat' && argv[1] !== KUBECONFIG_PATH) return { stdout: '', stderr: '', exitCode: 1 };
    if (argv[0] === 'test' && argv[2] !== KUBECONFIG_PATH) return { stdout: '', stderr: '', exitCode: 1 };
    return { stdout: argv[0] === 'cat' ? api.kubeconfig : '', stderr: '', exitCode: 0 };
  };
  let isDown = false;
  const sockets = new Set<Socket>();
  const hosts: HostProvider = {
    get: () => ({
      exec: (argv) => Promise.resolve({ signal: null, truncated: false, ...answer(argv) }),
      execFresh: () => Promise.reject(new Error('no step of these phases opens a fresh connection')),
      openStream: (host, port): Promise<Duplex> =>
        new Promise((resolve, reject) => {
          const local = host === '127.0.0.1' ? api.port : api.portBehind(host, port);
          if (isDown) throw new AddressUnreachable(`${host}:${port}: connection refused`);
          if (local === null) throw new AddressUnreachable(`no route to ${host}`);
          const socket = connect(local, '127.0.0.1', () => resolve(socket));
          sockets.add(socket.once('close', () => sockets.delete(socket)));
          socket.once('error', reject);
        }),
    }),
    close: () => Promise.resolve(),
  };
  const clusters = createClusterProvider({ hosts });
  closing.push(() => clusters.close());
  return {
    api,
    folder: place,
    disk,
    pools,
    setDown: (down) => {
      isDown = down;
      if (down) for (const socket of sockets) socket.destroy();
    },
    context: (spec = SPEC, run = 'run-1') => {
      const signal = new AbortController().signal;
      return {
        spec,
        run: { id: run, epoch: 1 },
        host: new RemoteHost(hosts.get(spec), { id: run, epoch: 1 }, signal, () => {}),
        bmc: null,
        clusters,
        secrets: { read: () => Promise.reject(new Error('no secret is needed')) },
        evidence: new Evidence(null, signal),
        signal,
        heartbeat: () => {},
        warn: () => {},
      };
    },
  };
}

function stepNamed(name: string): StepImplementation | UndoableStepImplementation {
  const step = STEPS[name];
  if (step === undefined) throw new Error(`no step ${name}`);
  return step;
}

export async function perform(name: string, ctx: StepContext, patience: Patience = {}): Promise<StepResult> {
  return performStep(stepNamed(name), ctx, { limitMs: WAIT_LIMIT_MS, ...patience });
}

const WAIT_LIMIT_MS = 120_000;

/** A merge patch by another tool: the port has one name for itself. */
export async function patchAs(
  { port, kubeconfig }: ClusterApi,
  manager: string,
  path: string,
  body: object,
): Promise<void> {
  const [ca, cert, key] = ['certificate-authority-data', 'client-certificate-data', 'client-key-data'].map((field) =>
    Buffer.from(new RegExp(`"?${field}"?: "?([^\\s"]+)`).exec(kubeconfig)?.[1] ?? '', 'base64'),
  );
  const headers = { 'content-type': 'application/merge-patch+json' };
  const options = {
    host: '127.0.0.1',
    port,
    path: `${path}?fieldManager=${manager}`,
    method: 'PATCH',
    ca,
    cert,
    key,
    headers,
  };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(options, (response) => resolve(response.resume().statusCode)).once('error', reject);
    sent.end(JSON.stringify(body));
  });
  if (status !== 200) throw new Error(`PATCH ${path}: ${status}`);
}

export async function undo(name: string, ctx: StepContext): Promise<string> {
  const step = stepNamed(name);
  if (!('undo' in step)) throw new Error(`${name} has no undo`);
  for (;;) {
    try {
      return await step.undo(ctx);
    } catch (error) {
      if (!(error instanceof ProvisionError) || error.type !== 'NotReadyYet') throw error;
      await delay(25);
    }
  }
}

export async function performPhases(phases: readonly PhaseName[], ctx: StepContext): Promise<Map<string, StepResult>> {
  const results = new Map<string, StepResult>();
  for (const phase of phases)
    for (const { name } of stepsOf(phase, ctx.spec.cluster.acceptance))
      results.set(name, await performApproved(name, ctx));
  return results;
}

/** As the workflow: a step that destroys something is told what was approved. */
export async function performApproved(name: string, ctx: StepContext, patience?: Patience): Promise<StepResult> {
  if (name !== 'cozystack.create-pool') return perform(name, ctx, patience);
  return perform(name, { ...ctx, approved: (await readDiskPlan(ctx)).digest }, patience);
}

export async function planned(ctx: StepContext): Promise<readonly string[]> {
  const changes: string[] = [];
  for (const step of Object.values(STEPS))
    for (const { sign, what } of (await step.preview?.(ctx)) ?? []) changes.push(`${sign} ${what}`);
  return changes;
}

/** A cluster with Cozystack on it, made once: what the later phases begin with. */
let installed: Promise<string> | null = null;
export async function startInstalled(options: Options = {}): Promise<Site> {
  installed ??= install();
  const folder = await temporaryFolder();
  await cp(await installed, folder, { recursive: true });
  return start({ ...options, folder, pool: true });
}

async function install(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-installed-'));
  const site = await start({ folder });
  await performPhases(['cozystack'], site.context());
  await site.api.close();
  return folder;
}

afterAll(async () => {
  const folder = await installed?.catch(() => null);
  if (folder) await rm(folder, { recursive: true });
});

/** Removed after the test. */
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-site-'));
  closing.push(() => rm(folder, { recursive: true }));
  return folder;
}

/**
 * The failure in which the step ends, or whose message says what is expected, after every step before it went well. What only may
 * heal is waited for, as by Temporal.
 */
export async function until(
  site: Site,
  name: string,
  expected: string | RegExp,
  ctx = site.context(),
): Promise<ProvisionError> {
  for (const phase of CLUSTER_PHASES)
    for (const step of stepsOf(phase, ctx.spec.cluster.acceptance)) {
      if (step.name === name) return failureOf(name, expected, ctx);
      await performApproved(step.name, ctx);
    }
  throw new Error(`no step ${name}`);
}

export async function failureOf(name: string, expected: string | RegExp, ctx: StepContext): Promise<ProvisionError> {
  const late = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    try {
      await performApproved(name, ctx, { limitMs: 0 });
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      const says = typeof expected === 'string' ? error.message.includes(expected) : expected.test(error.message);
      if (says || !FAILURES[error.type].retryable || Date.now() > late) return error;
      await delay(25);
      continue;
    }
    throw new Error(`${name} ended well`);
  }
}
