/**
 * What a worker tells of itself, as a process of its own, in a run that waits for a person, reboots and ends: metrics as Prometheus scrapes
 * them, and the log.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../lab/tools/free-port.js';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { METRICS, type Metric } from '../../src/domain/run/metrics.js';
import { BuiltProduct } from '../support/built-product.js';
import { ProvisionRun, story } from '../support/provision-run.js';
import { SDK_METRICS } from '../support/sdk-metrics.js';
import { Site } from './rig.js';

const START_LIMIT_MS = 240_000;
const RUN_LIMIT_MS = 480_000;
const SEEN_LIMIT_MS = 120_000;
const POLL_MS = 500;

let temporal: TemporalServer;
let product: BuiltProduct;
let site: Site | undefined;
beforeAll(async () => {
  [temporal, product] = await Promise.all([startTemporal(), BuiltProduct.build({ bundles: true })]);
  site = await Site.start({ served: { address: temporal.address, site: 'metrics' } });
}, START_LIMIT_MS);
afterAll(async () => {
  await site?.close();
  await temporal.stop();
  await product.remove();
});

/** By name with labels, as in the exposition format. */
type Samples = ReadonlyMap<string, number>;

async function scrape(url: string): Promise<{ readonly text: string; readonly samples: Samples }> {
  const text = await fetch(url).then(
    (response) => response.text(),
    () => '',
  );
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const samples = new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
  return { text, samples };
}

/** Of all series of this name whose labels have these. */
function sum(samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let total = 0;
  for (const [series, value] of samples) {
    if (series.split('{')[0] === name && wanted.every((label) => series.includes(label))) total += value;
  }
  return total;
}

async function until(url: string, predicate: (samples: Samples) => boolean): Promise<Samples> {
  const end = Date.now() + SEEN_LIMIT_MS;
  for (;;) {
    const { text, samples } = await scrape(url);
    if (predicate(samples)) return samples;
    if (Date.now() > end) throw new Error(`never seen:\n${text}`);
    await delay(POLL_MS);
  }
}

it(
  'metrics and log of a worker tell what a run does, waits for and becomes',
  async () => {
    if (site === undefined) throw new Error('no site');
    const { name: server, site: fra } = site.spec;
    const address = `127.0.0.1:${await freePort()}`;
    const url = `http://${address}/metrics`;
    const worker = product.startWorker({ address: temporal.address, site: fra, words: ['--metrics', address] });
    try {
      const before = await until(url, (now) => sum(now, 'gpu_provision_collected_timestamp_seconds') > 0);
      expect(sum(before, 'gpu_provision_runs_open')).toBe(0);

      // As patient as this test.
      const run = new ProvisionRun((await site.begin()).handle, { lookEveryMs: POLL_MS });
      await run.untilAsked('reboot');
      const asked = await until(url, (now) => sum(now, 'gpu_provision_questions_open', { question: 'reboot' }) === 1);
      expect(sum(asked, 'gpu_provision_questions_open', { site: fra })).toBe(1);
      expect(sum(asked, 'gpu_provision_runs_open', { site: fra, phase: 'gpu-isolation' })).toBe(1);
      expect(sum(asked, 'gpu_provision_oldest_question_age_seconds', { question: 'reboot' })).toBeGreaterThan(0);
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');

      const after = await until(
        url,
        (now) =>
          sum(now, 'gpu_provision_runs_open') === 0 && sum(now, 'gpu_provision_run_duration_seconds_count') === 1,
      );
      expect(sum(after, 'gpu_provision_questions_open')).toBe(0);
      expect(sum(after, 'gpu_provision_oldest_question_age_seconds')).toBe(0);
      for (const phase of ['preflight', 'node-preparation', 'gpu-isolation']) {
        const labels = { site: fra, phase, outcome: 'done' };
        expect(sum(after, 'gpu_provision_phase_duration_seconds_count', labels), phase).toBe(1);
      }
      const isolation = status.phases.find(({ name }) => name === 'gpu-isolation');
      expect(sum(after, 'gpu_provision_phase_duration_seconds_sum', { phase: 'gpu-isolation' })).toBe(
        isolation?.seconds,
      );
      expect(sum(after, 'gpu_provision_run_duration_seconds_count', { outcome: 'provisioned' })).toBe(1);
      expect(sum(after, 'gpu_provision_question_wait_seconds_count', { question: 'reboot', answer: 'approve' })).toBe(
        1,
      );
      expect(sum(after, 'gpu_provision_reboot_duration_seconds_count', { purpose: 'forward', outcome: 'trial' })).toBe(
        1,
      );
      expect(sum(after, 'gpu_provision_detection_lag_seconds_count', { change: 'returned' })).toBe(1);

      // Nothing that is not in the table, with no other labels, and its kind as said; the SDK's that rules name are there.
      const { text } = await scrape(url);
      for (const [, name = '', kind] of text.matchAll(/^# TYPE (gpu_provision_\w+) (\w+)$/gm)) {
        const metric = (METRICS as Readonly<Record<string, Metric>>)[name];
        expect(metric?.kind, name).toBe(kind);
        const series = [...after.keys()].filter((key) => key.startsWith(name));
        for (const label of series.flatMap((key) => [...key.matchAll(/([A-Za-z_]+)="/g)].map((match) => match[1]))) {
          expect([...(metric?.labels ?? []), ...ADDED_LABELS], `${name}: ${label}`).toContain(label);
        }
      }
      for (const name of SDK_METRICS) expect(text, name).toContain(`# TYPE ${name} `);
      expect(text).not.toContain(server);
    } finally {
      await worker.stop();
    }
    const lines = worker
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter((line) => line['server'] === server).length).toBeGreaterThan(0);
    expect(lines.find((line) => line['kind'] === 'outcome')).toMatchObject({
      server,
      message: 'provisioned',
      level: 'INFO',
      component: 'workflow',
    });
  },
  RUN_LIMIT_MS,
);

/** By the exporter: the buckets of a histogram, and what the SDK says of itself. */
const ADDED_LABELS = ['le', 'service_name', 'namespace', 'taskQueue', 'workflowType'];
