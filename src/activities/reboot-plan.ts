/**
 * What a person approves before a reboot, read from the host as it is now.
 * @module
 */
import {
  rebootWarnings,
  UNDO_ALLOWANCE,
  type PlannedFile,
  type RebootPlan,
  type RebootPlanFacts,
} from '../domain/boot/plan.js';
import type { Workloads } from '../domain/cluster/workloads.js';
import { KNOWN_GOOD_ENTRY } from '../domain/host-layout.js';
import { shortDigest } from '../domain/run/questions.js';
import type { Bmc } from '../ports/bmc.js';
import { ProvisionError } from '../ports/failure.js';
import type { StepContext } from './define-step.js';
import { trialCommandLine } from './gpu-isolation.js';
import { bootImages, generatedDefault, kernelOf } from './host/boot.js';
import { readDevices } from './host/devices.js';
import { sha256 } from './host/remote-host.js';

/** What the reboot is for, beside what is the same for every one. */
export type RebootPurpose = Pick<
  RebootPlan,
  'boots' | 'imagesRebuilt' | 'diff' | 'earlierBootSeconds' | 'cordonedAt' | 'stays' | 'upgrade'
> & {
  readonly files: readonly PlannedFile[];
  readonly running: Workloads;
};

export async function rebootPlan(
  ctx: StepContext,
  { files, running, upgrade, ...purpose }: RebootPurpose,
): Promise<RebootPlan> {
  const boot = await ctx.host.bootReading();
  const imagePaths = await bootImages(ctx.host);
  const hashes = await ctx.host.hashFiles(imagePaths);
  const devices = await readDevices(ctx);
  const entry = await generatedDefault(ctx.host);

  // The order of the keys is the order of the digest's JSON: don't sort, don't reorder.
  const facts: RebootPlanFacts = {
    bootId: boot.bootId,
    kernel: (await ctx.host.must(['uname', '-r'])).trim(),
    strategy: ctx.spec.boot.strategy,
    files,
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
    ...(upgrade === undefined ? {} : { upgrade }),
  };
  const bmc = await testBmc(ctx);
  const digest = sha256(JSON.stringify(facts));
  return {
    ...facts,
    digest: shortDigest(digest),
    sha256: digest,
    ...purpose,
    alarmSeconds: ctx.spec.boot.ladder.waitSeconds,
    deadManSeconds: ctx.spec.boot.deadManSeconds,
    bmc,
    warnings: rebootWarnings(bmc, facts),
    allows: UNDO_ALLOWANCE,
  };
}

/** Whether the BMC answers right now, since it is what brings the host back when SSH can't; and whether it would tell why. */
export async function testBmc({ bmc, signal }: StepContext): Promise<RebootPlan['bmc']> {
  if (bmc === null) return { kind: 'none', tested: false, console: false };
  try {
    const tested = (await bmc.powerState(signal)) === 'on';
    return { kind: bmc.kind, tested, console: await hasConsole(bmc, signal) };
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'BmcUnavailable')
      return { kind: bmc.kind, tested: false, console: false };
    throw error;
  }
}

async function hasConsole({ console }: Bmc, signal: AbortSignal): Promise<boolean> {
  if (console === null) return false;
  try {
    return await console.isOn(signal);
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'BmcUnavailable') return false;
    throw error;
  }
}
