/**
 * One trace for a run: the command that started it, its workflow, activities and their attempts, and what they did on a real SSH connection;
 * with the product as processes of their own, one of which is replaced in the middle of the run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DURATIONS } from '../../lab/demo/faults.js';
import { openDemoFolder, SITE, writeInventory, type DemoFolder } from '../../lab/demo/folder.js';
import { demoEnv, startWorker } from '../../lab/demo/programs.js';
import { startBmcOf, type SimulatedBmc } from '../../lab/rack/bmc/index.js';
import { startRack, type Rack } from '../../lab/rack/index.js';
import type { Child } from '../../lab/tools/child.js';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { connectProvision, type ProvisionClient } from '../../src/client.js';
import { workflowId } from '../../src/domain/run/messages.js';
import { EXIT } from '../../src/domain/run/outcomes.js';
import { ATTRIBUTES } from '../../src/tracing/attributes.js';
import { BuiltProduct, type Ended } from '../support/built-product.js';
import {
  startOtlpReceiver,
  startSilentReceiver,
  type OtlpReceiver,
  type ReceivedSpan,
} from '../support/otlp-receiver.js';
import { replayHistory } from '../workflow/histories.js';

const START_LIMIT_MS = 240_000;
const RUN_LIMIT_MS = 480_000;
const POLL_MS = 200;
const SERVER = 'h100-01';
const BMC_LOGIN = { user: 'admin', password: 'rack-only' };
/** Where the run parks once, and its command. */
const PARKS = { step: 'preparation.install-packages', program: /^apt-get .*install/ };

let temporal: TemporalServer;
let product: BuiltProduct;
let rack: Rack;
let bmc: SimulatedBmc;
let folder: DemoFolder;
let client: ProvisionClient;
let collector: OtlpReceiver;
const workers: Child[] = [];

beforeAll(async () => {
  [temporal, product, collector, rack] = await Promise.all([
    startTemporal(),
    BuiltProduct.build({ bundles: true }),
    startOtlpReceiver(),
    startRack({ hosts: [{ name: SERVER }] }),
  ]);
  const host = rack.host(SERVER);
  bmc = await startBmcOf(host, BMC_LOGIN);
  folder = await openDemoFolder(await mkdtemp(join(tmpdir(), 'gpu-provision-tracing-')));
  await writeInventory(folder, { rack, servers: [{ host, bmc }], bmcLogin: BMC_LOGIN, durations: DURATIONS });
  client = await connectProvision({ address: temporal.address, env: {} });
}, START_LIMIT_MS);
afterAll(async () => {
  for (const child of workers) child.kill();
  await client.close();
  await bmc.close();
  await rack.close();
  await collector.close();
  await temporal.stop();
  await product.remove();
  await rm(folder.path, { recursive: true });
});

const env = (endpoint: string) => ({
  ...demoEnv(temporal.address, temporal.namespace, folder.temporalConfig),
  GPU_PROVISION_INVENTORY: folder.inventory,
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
});

function command(words: readonly string[], endpoint = collector.url): Promise<Ended> {
  return product.command('main', words, env(endpoint));
}

/** The same, again where no worker answered in time: on a busy machine it may be late. */
function answered(words: readonly string[], endpoint = collector.url): Promise<Ended> {
  return until(async () => {
    const ended = await command(words, endpoint);
    return ended.exit === EXIT.unreachable ? undefined : ended;
  });
}

async function worker(endpoint = collector.url): Promise<Child> {
  const program = { words: ['--site', SITE, '--grace-seconds', '1'], site: SITE, logFile: folder.workerLog };
  const started = await startWorker({ ...program, env: env(endpoint), main: product.path('src/cli/main.js') }, client);
  workers.push(started);
  return started;
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(POLL_MS);
  }
}

const named = (name: string): readonly ReceivedSpan[] => collector.spans.filter((span) => span.name === name);
const parentOf = ({ parentSpanId }: ReceivedSpan): ReceivedSpan | undefined =>
  collector.spans.find(({ spanId }) => spanId === parentSpanId);

it(
  'joins the commands of people, the workflow, its activities and what they did on the host in one trace',
  async () => {
    const effect = { kind: 'fail', exitCode: 100, stderr: 'E: Could not get lock' } as const;
    rack.faults.add({ at: 'program', match: PARKS.program, effect });
    const first = await worker();
    const start = command(['start', SERVER, '--phases', 'preflight,node-preparation']);
    const parked = await until(async () => {
      const { question } = (await client.status(SERVER).catch(() => null))?.status ?? {};
      return question ?? undefined;
    });
    expect(parked.kind).toBe('parked');
    // The next one replays what this one has told of already.
    await first.stop();
    const second = await worker();
    await answered(['resume', SERVER, '--gate', parked.id, '--reason', 'lock is gone']);
    const { exit, out, err } = await start;
    expect(exit, `${out}${err}`).toBe(0);
    await second.stop();
    expect((await second.exited).code).toBe(0);

    const { spans } = collector;
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    expect(spans.filter((span) => span.parentSpanId === null).map(({ name, service }) => ({ name, service }))).toEqual([
      { name: `gpu-provision start`, service: 'gpu-provision' },
    ]);
    expect(spans.filter((span) => span.parentSpanId !== null && parentOf(span) === undefined)).toEqual([]);

    // Which spans are below which; the last are leaves.
    const below: Readonly<Record<string, RegExp>> = {
      'gpu-provision resume': /^gpu-provision start$/,
      'HandleUpdate:resume': /^gpu-provision resume$/,
      'RunWorkflow:provisionServer': /^gpu-provision start$/,
      StartActivity: /^RunWorkflow:provisionServer$/,
      RunActivity: /^StartActivity:/,
      'ssh connect': /^ssh /,
      ssh: /^(RunActivity:|unit )/,
      unit: /^RunActivity:/,
      redfish: /^RunActivity:/,
    };
    for (const [kind, parent] of Object.entries(below)) {
      const those = spans.filter(({ name }) => name === kind || (name.startsWith(kind) && !(name in below)));
      expect(those.length, kind).toBeGreaterThan(0);
      for (const span of those) expect(parentOf(span)?.name, span.name).toMatch(parent);
    }
    for (const span of spans.filter(({ name }) => name.startsWith('RunActivity:')))
      expect(parentOf(span)?.name).toBe(span.name.replace('Run', 'Start'));
    expect(new Set(spans.map(({ name }) => name))).toContain('ssh save-original');

    const attempts = named(`RunActivity:${PARKS.step}`);
    expect(attempts.map(({ status, attributes }) => [status.code ?? 0, attributes['error.type']])).toEqual([
      [2, 'CommandFailed'],
      [0, undefined],
    ]);
    expect(attempts[0]?.attributes).toMatchObject({
      'gpu_provision.server': SERVER,
      'gpu_provision.phase': 'node-preparation',
      'gpu_provision.step': PARKS.step,
      'temporal.activity.attempt': 1,
      'temporal.workflow.id': workflowId(SERVER),
    });
    expect(named('unit apt-get').map(({ attributes }) => attributes['process.exit.code'])).toContain(100);
    const unknown = spans.flatMap(({ attributes }) => Object.keys(attributes)).filter((name) => !(name in ATTRIBUTES));
    expect(unknown).toEqual([]);

    // What a traced worker recorded is no riddle to one that sends nothing.
    const connection = await Connection.connect({ address: temporal.address });
    try {
      const handle = new Client({ connection }).workflow.getHandle(workflowId(SERVER));
      await replayHistory(await handle.fetchHistory());
    } finally {
      await connection.close();
    }
  },
  RUN_LIMIT_MS,
);

it(
  'a collector that takes everything and answers nothing holds up neither a command nor the end of a worker',
  async () => {
    const silent = await startSilentReceiver();
    try {
      const serving = await worker(silent.url);
      const { exit, out, err } = await answered(['plan', SERVER], silent.url);
      expect(exit, `${out}${err}`).toBe(0);
      await serving.stop();
      // Killed, it would have no code: it has ten seconds.
      expect((await serving.exited).code, serving.output()).toBe(0);
      expect(serving.output()).toContain('spans are lost, runs are unaffected');
    } finally {
      await silent.close();
    }
  },
  RUN_LIMIT_MS,
);

it('a command says which setting of it cannot be used', async () => {
  const { exit, err } = await command(['status', SERVER], 'collector:4318');
  expect({ exit, err: err.trim() }).toEqual({
    exit: 2,
    err: 'OTEL_EXPORTER_OTLP_ENDPOINT collector:4318: expected a URL with http:// or https://, e.g. http://127.0.0.1:4318',
  });
});
