/**
 * Gauges of what waits, collected from Temporal's list of open runs: a gauge that a workflow sets would stay when its run is gone.
 * Every worker of a site says the same, so rules take the maximum.
 * @module
 */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { MetricMeter } from '@temporalio/common';
import { ATTRIBUTE } from './client/known-run.js';
import { gateOpenedAt, queryOf } from './client/list-runs.js';
import { METRICS, meterName, type GaugeName, type LabelsOf } from './domain/run/metrics.js';
import { PHASE_NAMES } from './domain/run/phases.js';
import { kindOfQuestion, QUESTION_RULES } from './domain/run/questions.js';

/** Of Prometheus the usual interval between two scrapes. */
const EVERY_MS = 15_000;
const CALL_LIMIT_MS = 5_000;
const QUESTIONS = Object.keys(QUESTION_RULES);

interface Collection {
  readonly client: Client;
  readonly meter: MetricMeter;
  readonly sites: readonly string[];
  readonly warn: (text: string) => void;
}

/** Collects at once, then again and again until it is stopped. A Temporal that is away is a warning, once. */
export function collectOpenRuns({ client, meter, sites, warn }: Collection): { readonly stop: () => Promise<void> } {
  const set = gaugesOf(meter);
  const openedAt = new Map<string, number>();
  let failing = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const collect = async (): Promise<void> => {
    try {
      for (const site of sites) await collectSite(client, site, openedAt, set);
      failing = false;
    } catch (error) {
      if (!failing) warn(`open runs cannot be counted: ${error instanceof Error ? error.message : String(error)}`);
      failing = true;
    }
    if (!stopped) timer = setTimeout(begin, EVERY_MS).unref();
  };
  const begin = (): void => {
    running = collect();
  };
  begin();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

type SetGauge = <N extends GaugeName>(name: N, value: number, labels: LabelsOf<N>) => void;

function gaugesOf(meter: MetricMeter): SetGauge {
  return (name, value, labels) =>
    meter.createGauge(meterName(name), 'float', undefined, METRICS[name].help).set(value, labels);
}

/** Every phase and kind of question is set, so that none keeps what it was. */
async function collectSite(client: Client, site: string, openedAt: Map<string, number>, set: SetGauge): Promise<void> {
  const phases = new Map<string, number>(PHASE_NAMES.map((name) => [name, 0]));
  const ages = new Map<string, number[]>(QUESTIONS.map((kind) => [kind, []]));
  const open = new Set<string>();
  for await (const run of client.workflow.list({ query: queryOf({ site }) })) {
    const attributes = run.typedSearchAttributes;
    const phase = attributes.get(ATTRIBUTE.phase) ?? PHASE_NAMES[0];
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
    const question = attributes.get(ATTRIBUTE.gate);
    if (question === undefined) continue;
    const key = `${run.runId} ${question}`;
    open.add(key);
    const since = openedAt.get(key) ?? (await whenOpened(client, run)) ?? Date.now();
    openedAt.set(key, since);
    ages.get(kindOfQuestion(question))?.push((Date.now() - since) / 1_000);
  }
  for (const key of openedAt.keys()) if (!open.has(key)) openedAt.delete(key);
  for (const [phase, count] of phases) set('gpu_provision_runs_open', count, { site, phase });
  for (const [question, all] of ages) {
    set('gpu_provision_questions_open', all.length, { site, question });
    set('gpu_provision_oldest_question_age_seconds', Math.max(0, ...all), { site, question });
  }
  set('gpu_provision_collected_timestamp_seconds', Date.now() / 1_000, { site });
}

/** Null when that cannot be told: then its age counts from here. */
async function whenOpened(client: Client, run: WorkflowExecutionInfo): Promise<number | null> {
  try {
    const opened = await client.withDeadline(Date.now() + CALL_LIMIT_MS, () => gateOpenedAt(client, run));
    return opened === null ? null : Date.parse(opened);
  } catch {
    return null;
  }
}
