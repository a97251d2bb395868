/**
 * The drift check of a server: reads, and changes nothing. Every item is looked at, whatever the others say.
 * @module
 */
import { log, setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey, TemporalFailure } from '@temporalio/common';
import type { AllActivities } from '../activities/index.js';
import type { Holder, HostItems } from '../activities/verify.js';
import type { TruthTable } from '../domain/gpu/truth-table.js';
import { FAILURES, isFailureType } from '../domain/run/failures.js';
import { SEARCH_ATTRIBUTES } from '../domain/run/messages.js';
import { lastingSteps, type Step, type StepName } from '../domain/run/steps.js';
import { renderVerify } from '../domain/text/verify.js';
import {
  deviceItems,
  drift,
  ok,
  verdictOf,
  VERIFIED_PHASES,
  type VerifyInput,
  type VerifyItem,
  type VerifyReport,
} from '../domain/verify.js';
import { call } from './act.js';
import { failureType, reportFailure, rethrowBug, tableOf } from './failure.js';

/** As wide as a code block of the UI is on a laptop. */
const COLUMNS = 100;
const outcome = defineSearchAttributeKey(SEARCH_ATTRIBUTES.outcome, 'KEYWORD');

export async function verifyServer(input: VerifyInput): Promise<VerifyReport> {
  const { spec } = input;
  const before = await holder(input);
  const items = before.run === null ? await look(input, before) : [];
  const after = before.run === null ? await holder(input) : before;
  // A run that began meanwhile, or a boot: what was read is of neither.
  const busy = after.run !== null || after.bootId !== before.bootId;
  const report: VerifyReport = {
    server: spec.name,
    cluster: spec.cluster.name,
    at: new Date().toISOString(),
    verdict: busy ? 'busy' : verdictOf(items),
    holder: after.run,
    items: busy ? [] : items,
  };
  upsertSearchAttributes([{ key: outcome, value: report.verdict }]);
  const wrong = report.items.filter(({ state }) => state !== 'ok');
  upsertMemo({ outcome: report.verdict, drift: wrong.map(({ id, text }) => `${id}: ${text}`.slice(0, 300)) });
  setCurrentDetails(`\`\`\`\n${renderVerify(report, COLUMNS).join('\n').replaceAll('`', "'")}\n\`\`\``);
  for (const { id, text } of wrong) log.warn(`drift: ${id}: ${text}`, { server: spec.name });
  return report;
}

/** Phase by phase, the steps of each side by side: what is not there is looked at three times, which would add up. */
async function look(input: VerifyInput, { bootId }: Holder): Promise<readonly VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const phase of VERIFIED_PHASES.filter((name) => input.phases.includes(name))) {
    if (phase === 'gpu-isolation') items.push(...(await isolation(input, bootId)));
    const remedy = phase === 'gpu-isolation' ? BOOT_REMEDY : `start-provision --server ${input.spec.name}`;
    items.push(...(await Promise.all(lastingSteps(phase).map((step) => lasts(input, step, remedy)))));
  }
  return items;
}

const lasts = (input: VerifyInput, { name, summary }: Step, remedy: string): Promise<VerifyItem> =>
  item(name, remedy, async () => {
    const activity = `${name as StepName}.verify` as const;
    return (await read(input, activity, `is it still so: ${summary}`, {})).summary;
  });

const BOOT_REMEDY =
  'put it back, and reboot only while somebody is at the BMC console: what the next boot does is not what was proven';

async function isolation(input: VerifyInput, bootId: string): Promise<readonly VerifyItem[]> {
  const found = await attempt(() => read(input, 'verify.read-boot', 'boot files, known-good and kernels', {}));
  if (!('committed' in found)) return [unread('ledger', found.failure)];
  if (!found.committed) return found.items;
  return [
    ...found.items,
    await item('boot.default', BOOT_REMEDY, () =>
      read(input, 'commit.check-default', 'the default entry is what was proven', { bootId }),
    ),
    ...(await devices(input, found)),
  ];
}

async function devices(input: VerifyInput, { baseline }: HostItems): Promise<readonly VerifyItem[]> {
  if (baseline === null) {
    const text = 'the ledger does not say how the GPUs were before, so they cannot be judged';
    return [drift('device', text, 'committed by an older version: look with lspci -nnk')];
  }
  try {
    return deviceItems(await read(input, 'isolation.verify-devices', 'truth table of every GPU', { baseline }));
  } catch (error) {
    rethrowBug(error);
    const table: TruthTable | null = tableOf(error);
    return table === null ? [unread('device', error)] : deviceItems(table);
  }
}

async function item(id: string, remedy: string, body: () => Promise<string>): Promise<VerifyItem> {
  const found = await attempt(async () => ({ text: await body() }));
  if ('text' in found) return ok(id, found.text);
  const type = failureType(found.failure);
  const isDrift = type === 'NotReadyYet' || (isFailureType(type) && !FAILURES[type].retryable);
  return isDrift ? drift(id, reportFailure(found.failure, null, null).message, remedy) : unread(id, found.failure);
}

/** What the world refuses is an answer here; a cancel is not. */
async function attempt<T extends object>(body: () => Promise<T>): Promise<T | { readonly failure: TemporalFailure }> {
  try {
    return await body();
  } catch (error) {
    rethrowBug(error);
    if (failureType(error) === 'Cancelled' || !(error instanceof TemporalFailure)) throw error;
    return { failure: error };
  }
}

function unread(id: string, failure: unknown): VerifyItem {
  const { message } = reportFailure(failure, null, null);
  return { id, state: 'unknown', text: `could not be read: ${message}`, remedy: 'verify again when it answers' };
}

const holder = (input: VerifyInput): Promise<Holder> =>
  read(input, 'verify.read-holder', 'does a run hold the host; which boot is it', {}, 'read');

function read<N extends keyof AllActivities>(
  { spec }: VerifyInput,
  name: N,
  summary: string,
  details: Omit<Parameters<AllActivities[N]>[0], 'spec' | 'run'>,
  policy: 'read' | 'verify' = 'verify',
): Promise<Awaited<ReturnType<AllActivities[N]>>> {
  const run = { id: workflowInfo().runId, epoch: 0 };
  const argument = { spec, run, ...details } as unknown as Parameters<AllActivities[N]>[0];
  return call(name, argument, { site: spec.site, policy, summary });
}
