/**
 * Phase 4, reading: is the host isolated already, what would be approved, has it drifted, and do all devices hold.
 * @module
 */
import { UNDO_ALLOWANCE, type RebootPlan, type RebootPlanFacts } from '../domain/boot/plan.js';
import { trialRunOf } from '../domain/boot/reboot.js';
import { K3S_UNIT } from '../domain/cluster/k3s-layout.js';
import { GRUB_CFG, KNOWN_GOOD_ENTRY, LEDGER_DIR } from '../domain/host-layout.js';
import { truthTable, type TruthBaseline, type TruthTable } from '../domain/gpu/truth-table.js';
import type { WithArtifacts } from '../domain/run/artifacts.js';
import { shortDigest } from '../domain/run/questions.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { trialCommandLine } from './gpu-isolation.js';
import { bootImages, generatedDefault, kernelOf } from './host/boot.js';
import { DIFF_LEDGER } from './host/boot-scripts.js';
import { readDevices, readTruthContext } from './host/devices.js';
import { isUndoneByIsolation, readLedgerState } from './host/ledger.js';
import { sha256 } from './host/remote-host.js';
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
    k3sRuns: ['active', 'activating'].includes(
      (await ctx.host.exec(['systemctl', 'is-active', K3S_UNIT])).stdout.trim(),
    ),
  };
}

async function readPlan(ctx: StepContext, input: PlanInput): Promise<RebootPlan> {
  const boot = await ctx.host.bootReading();
  const entries = (await ctx.host.ledger()).filter((e) => isUndoneByIsolation(e) && e.current !== null);
  const files = entries
    .filter((e) => !isImage(e.path) && e.current?.sha256 !== e.original?.sha256)
    .map((e) => ({
      path: e.path,
      sha256: e.current?.sha256 ?? '',
      action: e.original === null ? ('new' as const) : ('changed' as const),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const imagePaths = await bootImages(ctx.host);
  const hashes = await ctx.host.hashFiles(imagePaths);
  const devices = await readDevices(ctx);
  const entry = await generatedDefault(ctx.host);
  const grubCfg = (await ctx.host.hashFiles([GRUB_CFG])).get(GRUB_CFG) ?? 'absent';
  const running = await readWorkloads(ctx);

  // The order of the keys is the order of the digest's JSON: don't sort, don't reorder.
  const facts: RebootPlanFacts = {
    bootId: boot.bootId,
    kernel: (await ctx.host.must(['uname', '-r'])).trim(),
    strategy: ctx.spec.boot.strategy,
    files: [
      ...files,
      ...(files.some((f) => f.path === GRUB_CFG)
        ? []
        : [{ path: GRUB_CFG, sha256: grubCfg, action: 'changed' as const }]),
    ],
    images: imagePaths.map((path) => ({ path, kernel: kernelOf(path), sha256: hashes.get(path) ?? '' })),
    commandLine: { now: boot.commandLine.trim(), next: await trialCommandLine(ctx) },
    defaultEntry: ctx.spec.boot.strategy === 'direct' ? entry.id : KNOWN_GOOD_ENTRY,
    devices: ctx.spec.gpus.addresses.map((address) => {
      const device = devices.find((d) => d.address === address);
      return {
        address,
        id: device?.vendorDevice ?? 'absent',
        driver: device?.driver ?? null,
        iommuGroup: device?.iommuGroup ?? -1,
      };
    }),
    workloads: { vms: running.vms, gpuProcesses: running.gpuProcesses, foreignPods: running.foreignPods },
  };
  const digest = sha256(JSON.stringify(facts));
  const diff = await ctx.host.script(DIFF_LEDGER, [LEDGER_DIR]);
  return {
    ...facts,
    digest: shortDigest(digest),
    sha256: digest,
    imagesRebuilt: entries.filter((e) => isImage(e.path) && e.current?.sha256 !== e.original?.sha256).length,
    diff:
      diff.length > DIFF_LIMIT
        ? `${diff.slice(0, DIFF_LIMIT)}\n… ${diff.length - DIFF_LIMIT} more characters on the host`
        : diff,
    earlierBootSeconds: input.earlierBootSeconds,
    alarmSeconds: ctx.spec.boot.ladder.waitSeconds,
    deadManSeconds: ctx.spec.boot.deadManSeconds,
    bmc: await testBmc(ctx),
    cordonedAt: input.cordonedAt,
    stays: input.stays,
    warnings: warningsOf(ctx),
    allows: UNDO_ALLOWANCE,
  };
}

const isImage = (path: string): boolean => path.startsWith('/boot/initrd.img-');

/** Whether the BMC answers right now, since it is what brings the host back when SSH can't. */
export async function testBmc(ctx: StepContext): Promise<RebootPlan['bmc']> {
  if (ctx.bmc === null) return { kind: 'none', tested: false, console: false };
  try {
    return { kind: ctx.bmc.kind, tested: (await ctx.bmc.powerState(ctx.signal)) === 'on', console: false };
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'BmcUnavailable')
      return { kind: ctx.bmc.kind, tested: false, console: false };
    throw error;
  }
}

function warningsOf(ctx: StepContext): readonly string[] {
  const warnings = ['BMC console unavailable: a hang would leave no screen output'];
  if (ctx.bmc === null) warnings.push('no BMC: a host that hangs needs a person at the machine');
  if (ctx.spec.boot.strategy === 'direct') {
    warnings.push(
      'direct strategy: the new image is the default at once; a power cycle boots it again, not the old one',
    );
  }
  return warnings;
}
