/**
 * Phase 4, reading: is the host isolated already, what would be approved, has it drifted, and do all devices hold.
 * @module
 */
import type { RebootPlan } from '../domain/boot/plan.js';
import { trialRunOf } from '../domain/boot/reboot.js';
import { K3S_UNIT } from '../domain/cluster/k3s-layout.js';
import { GRUB_CFG, LEDGER_DIR } from '../domain/host-layout.js';
import { truthTable, type TruthBaseline, type TruthTable } from '../domain/gpu/truth-table.js';
import type { WithArtifacts } from '../domain/run/artifacts.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { isImage } from './host/boot.js';
import { DIFF_LEDGER } from './host/boot-scripts.js';
import { readDevices, readTruthContext } from './host/devices.js';
import { isUndoneByIsolation, readLedgerState } from './host/ledger.js';
import { rebootPlan } from './reboot-plan.js';
import { cordonNode, readWorkloads, uncordonNode } from './workloads.js';

/** The diff is for reading in a terminal and in the Temporal UI; the complete files are on the host. */
const DIFF_LIMIT = 6_000;
/** Eight GPUs and four NVSwitches take 3,000 characters; all of it is an artifact. */
const LSPCI_LIMIT = 6_000;

export interface PlanInput extends StepInput {
  readonly earlierBootSeconds: readonly number[];
  readonly cordonedAt: string | null;
  readonly stays: readonly string[];
}

export interface VerifyInput extends StepInput {
  readonly baseline: TruthBaseline;
}

export interface IsolationState {
  /** Committed by a run, all devices hold: no gate and no reboot is needed. */
  readonly isolated: boolean;
  readonly why: string;
  readonly bootId: string;
  /** A run that staged and never ended, whose changes must be taken back before new ones are made; else null. */
  readonly abandoned: string | null;
  /** Whether the running boot is a trial of such a run, which takes a reboot to leave. */
  readonly inAbandonedTrial: boolean;
  /** A k3s, whoever installed it, that must therefore be back after the reboot. */
  readonly k3sRuns: boolean;
}

export interface IsolationActivities {
  'isolation.read-state'(input: VerifyInput): Promise<IsolationState>;
  'isolation.read-plan'(input: PlanInput): Promise<RebootPlan>;
  'isolation.verify-devices'(input: VerifyInput): Promise<TruthTable & WithArtifacts>;
  'workloads.cordon'(input: StepInput): Promise<string | null>;
  'workloads.uncordon'(input: StepInput): Promise<void>;
}

export function isolationActivities(adapters: Adapters): IsolationActivities {
  return {
    'isolation.read-state': (input) => reporting(() => readState(contextOf(adapters, input), input)),
    'isolation.read-plan': (input) => reporting(() => readPlan(contextOf(adapters, input), input)),
    'isolation.verify-devices': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        return ctx.evidence.with(() => verifyDevices(ctx, input.baseline));
      }),
    'workloads.cordon': (input) => reporting(() => cordonNode(contextOf(adapters, input))),
    'workloads.uncordon': (input) => reporting(() => uncordonNode(contextOf(adapters, input))),
  };
}

async function readTruthTable(ctx: StepContext, baseline: TruthBaseline): Promise<TruthTable> {
  const devices = await readDevices(ctx);
  return truthTable(ctx.spec, devices, await readTruthContext(ctx, baseline));
}

async function verifyDevices(ctx: StepContext, baseline: TruthBaseline): Promise<TruthTable> {
  const found = await readTruthTable(ctx, baseline);
  await ctx.evidence.keep('lspci-after-boot.txt', found.evidence);
  const table = { ...found, evidence: found.evidence.slice(0, LSPCI_LIMIT) };
  if (!table.ok) throw new ProvisionError('IsolationNotVerified', table.problems.join('; '), { table });
  return table;
}

async function readState(ctx: StepContext, input: VerifyInput): Promise<IsolationState> {
  const boot = await ctx.host.bootReading();
  const ledger = await readLedgerState(ctx.host);
  const entries = await ctx.host.ledger();
  const foreign = entries.find((e) => e.step.startsWith('isolation.') && e.run !== ctx.run.id);
  const abandoned = ledger?.state === 'open' && foreign !== undefined ? foreign.run : null;
  const table = await readTruthTable(ctx, input.baseline);
  const committed = ledger?.state === 'committed';
  return {
    isolated: committed && table.ok,
    why: committed ? (table.ok ? 'all devices hold' : table.problems.join('; ')) : 'not committed by any run',
    bootId: boot.bootId,
    abandoned,
    inAbandonedTrial: abandoned !== null && trialRunOf(boot.commandLine) !== null,
    k3sRuns: await k3sRuns(ctx),
  };
}

export async function k3sRuns({ host }: Pick<StepContext, 'host'>): Promise<boolean> {
  return ['active', 'activating'].includes((await host.exec(['systemctl', 'is-active', K3S_UNIT])).stdout.trim());
}

async function readPlan(ctx: StepContext, input: PlanInput): Promise<RebootPlan> {
  const entries = (await ctx.host.ledger()).filter((e) => isUndoneByIsolation(e) && e.current !== null);
  const changed = entries.filter((e) => e.current?.sha256 !== e.original?.sha256);
  const files = changed
    .filter((e) => !isImage(e.path))
    .map((e) => ({
      path: e.path,
      sha256: e.current?.sha256 ?? '',
      action: e.original === null ? ('new' as const) : ('changed' as const),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const grubCfg = (await ctx.host.hashFiles([GRUB_CFG])).get(GRUB_CFG) ?? 'absent';
  const diff = await ctx.host.script(DIFF_LEDGER, [LEDGER_DIR]);
  return rebootPlan(ctx, {
    files: [
      ...files,
      ...(files.some((f) => f.path === GRUB_CFG)
        ? []
        : [{ path: GRUB_CFG, sha256: grubCfg, action: 'changed' as const }]),
    ],
    imagesRebuilt: changed.filter((e) => isImage(e.path)).length,
    diff:
      diff.length > DIFF_LIMIT
        ? `${diff.slice(0, DIFF_LIMIT)}\n… ${diff.length - DIFF_LIMIT} more characters on the host`
        : diff,
    earlierBootSeconds: input.earlierBootSeconds,
    cordonedAt: input.cordonedAt,
    stays: input.stays,
    running: await readWorkloads(ctx),
  });
}
