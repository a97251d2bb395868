/**
 * Giving the GPUs back: what would be undone, and the first acts. What follows is the undo of phase 4, as after a failed trial.
 * @module
 */
import {
  whyNotGivenBack,
  type DecommissionFacts,
  type DecommissionPlan,
  type Obstacles,
} from '../domain/decommission.js';
import { UNDO_ALLOWANCE } from '../domain/boot/plan.js';
import { appRef } from '../domain/cluster/nested.js';
import type { TruthBaseline } from '../domain/gpu/truth-table.js';
import { shortDigest } from '../domain/run/questions.js';
import { ProvisionError } from '../ports/failure.js';
import { clusterIfAny } from './cluster/host-cluster.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { isolationSteps } from './gpu-isolation.js';
import { generatedDefault, imagesByKernel } from './host/boot.js';
import { readDevices } from './host/devices.js';
import { undamagedCopy } from './host/known-good-copy.js';
import { publishKnownGoodDefault, verifyKnownGoodDefault } from './host/known-good-default.js';
import {
  changedSince,
  isUndoneByIsolation,
  readIsolated,
  readLedgerState,
  readNote,
  noteOnce,
  writeLedgerState,
} from './host/ledger.js';
import { notedBaseline } from './host/open-ledger.js';
import { sha256 } from './host/remote-host.js';
import { withdrawGpus } from './kubevirt.js';
import { testBmc } from './reboot-plan.js';
import { readWorkloads } from './workloads.js';

/** In the ledger: the run that began to give the GPUs back. An open ledger with it is of a decommission that was lost. */
const NOTE_BEGUN = 'decommission';

export interface DecommissionState {
  readonly plan: DecommissionPlan;
  readonly baseline: TruthBaseline;
}

export interface DecommissionActivities {
  /** Read-only. Throws Blocked, with every reason why the GPUs cannot be given back. */
  'decommission.read-plan'(input: StepInput): Promise<DecommissionState>;
  /** KubeVirt offers the GPUs no more, whichever run permitted them. */
  'decommission.withdraw-gpus'(input: StepInput): Promise<string>;
  /** Opens the ledger again, and makes known-good the default: from here on every boot that nobody armed has booted before. */
  'decommission.begin'(input: StepInput): Promise<string>;
}

export function decommissionActivities(adapters: Adapters): DecommissionActivities {
  return {
    'decommission.read-plan': (input) => reporting(() => readPlan(contextOf(adapters, input))),
    'decommission.withdraw-gpus': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        if ((await clusterIfAny(ctx)) === null) return 'no cluster offers the GPUs';
        const from = await withdrawGpus(ctx, (by) => by !== undefined);
        return from.length === 0 ? 'no run had permitted the GPUs' : `permitted no more by ${from.join(' and ')}`;
      }),
    'decommission.begin': (input) => reporting(() => begin(contextOf(adapters, input))),
  };
}

async function readPlan(ctx: StepContext): Promise<DecommissionState> {
  const { host, spec } = ctx;
  const ledger = await readLedgerState(host);
  const baseline = await notedBaseline(host);
  const committed = await readIsolated(host);
  const running = await readWorkloads(ctx);
  const problems = whyNotGivenBack(
    {
      ledger,
      begun: (await readNote(host, NOTE_BEGUN)) !== null,
      noted: committed !== null,
      nativeDrivers: baseline?.nativeDrivers ?? null,
      strategy: spec.boot.strategy,
      knownGoodIntact: (await undamagedCopy(host)) !== null,
      ...running,
      nestedClusters: await nestedClusters(ctx),
    } satisfies Obstacles,
    spec.name,
  );
  if (problems.length > 0 || ledger === null || baseline === null || committed === null)
    throw new ProvisionError('Blocked', problems.join('; '), { problems });
  // Saved images are what is gone back to: one that is damaged is found before anything is undone.
  await isolationSteps['isolation.check-saved-images'].verify(ctx);

  const everything = await host.ledger();
  const entries = everything.filter(isUndoneByIsolation);
  const devices = await readDevices(ctx);
  const owned = new Set(entries.map(({ path }) => path));
  // The order of the keys is the order of the digest's JSON: don't sort, don't reorder.
  const facts: DecommissionFacts = {
    bootId: (await host.bootReading()).bootId,
    committedBy: ledger.run,
    strategy: spec.boot.strategy,
    paths: entries
      .filter(({ original, current }) => original?.sha256 !== current?.sha256)
      .map(({ path, current }) => ({ path, now: current?.sha256 ?? null })),
    changedSince: changedSince(committed, everything),
    laterImages: (await imagesByKernel(host)).installed.filter((image) => !owned.has(image)),
    devices: spec.gpus.addresses.map((address) => ({
      address,
      driver: devices.find((device) => device.address === address)?.driver ?? null,
      wanted: baseline.nativeDrivers[address] ?? null,
    })),
    ordinaryEntry: (await generatedDefault(host)).title,
    foreignPods: running.foreignPods,
  };
  const { kind, tested } = await testBmc(ctx);
  const plan: DecommissionPlan = {
    ...facts,
    digest: shortDigest(sha256(JSON.stringify(facts))),
    alarmSeconds: spec.boot.ladder.waitSeconds,
    bmc: { kind, tested },
    stays: [
      'packages and files of phase 2, and the copy of known-good',
      ...((await clusterIfAny(ctx)) === null ? [] : ['k3s, Cozystack and its storage, without GPUs']),
    ],
    allows: UNDO_ALLOWANCE,
  };
  return { plan, baseline };
}

async function nestedClusters(ctx: StepContext): Promise<readonly string[]> {
  const cluster = await clusterIfAny(ctx);
  if (cluster === null) return [];
  const found: string[] = [];
  for (const ref of ctx.spec.cluster.nested.map(appRef)) {
    if ((await cluster.get(ref)) !== null) found.push(`${ref.kind} ${ref.namespace}/${ref.name}`);
  }
  return found;
}

async function begin(ctx: StepContext): Promise<string> {
  const { host, run } = ctx;
  await noteOnce(host, NOTE_BEGUN, [run.id]);
  // Open, so that a run that is lost half-way leaves a host that says so.
  await writeLedgerState(host, { run: run.id, state: 'open', at: new Date().toISOString() });
  await publishKnownGoodDefault(ctx, 'isolation.publish-known-good-default');
  return (await verifyKnownGoodDefault(ctx)).summary;
}
