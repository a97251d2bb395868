/**
 * The reboot of a host that is provisioned: what stands in its way, and what would be approved.
 * @module
 */
import type { PlannedFile, RebootPlan } from '../domain/boot/plan.js';
import { trialRunOf } from '../domain/boot/reboot.js';
import type { Workloads } from '../domain/cluster/workloads.js';
import type { TruthBaseline } from '../domain/gpu/truth-table.js';
import { whyNotRebooted, type RebootObstacles } from '../domain/obstacles.js';
import { earlierBootSeconds } from '../domain/preflight/earlier-boots.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { isImage } from './host/boot.js';
import { lostReboot } from './host/lost-reboot.js';
import { readCommitted, readLedgerState } from './host/ledger.js';
import type { RemoteHost } from './host/remote-host.js';
import { k3sRuns } from './isolation-state.js';
import { rebootPlan, type RebootPurpose } from './reboot-plan.js';
import { readBoot } from './verify.js';
import { readWorkloads } from './workloads.js';

export interface PlannedRebootInput extends StepInput {
  readonly cordonedAt: string | null;
}

export interface PlannedReboot {
  readonly plan: RebootPlan;
  /** How the host was before it was isolated: what the truth table compares with. */
  readonly baseline: TruthBaseline;
  readonly k3sRuns: boolean;
}

export interface PlannedRebootActivities {
  /** Read-only. Throws Blocked, with every reason why the host cannot be rebooted so that the reboot can undo itself. */
  'reboot.read-plan'(input: PlannedRebootInput): Promise<PlannedReboot>;
}

export function plannedRebootActivities(adapters: Adapters): PlannedRebootActivities {
  return {
    'reboot.read-plan': (input) => reporting(() => readPlan(contextOf(adapters, input), input.cordonedAt)),
  };
}

async function readPlan(ctx: StepContext, cordonedAt: string | null): Promise<PlannedReboot> {
  const found = await readRebootable(ctx, (obstacles) => whyNotRebooted(obstacles));
  return plannedReboot(ctx, found, {
    boots: 'proven',
    files: keptFiles(found),
    imagesRebuilt: 0,
    cordonedAt,
    stays: ['every file as it was committed', 'k3s, Cozystack and its storage'],
  });
}

/** A host that is committed, and that nothing stands in the way of. */
export interface Rebootable {
  readonly hashes: ReadonlyMap<string, string | null>;
  readonly baseline: TruthBaseline;
  readonly running: Workloads;
}

/** Throws Blocked, with every reason. */
export async function readRebootable(
  ctx: StepContext,
  judge: (found: RebootObstacles) => readonly string[],
): Promise<Rebootable> {
  const { host, spec } = ctx;
  const { committed, baseline, items } = await readBoot(ctx);
  const hashes = await readCommitted(host);
  const running = await readWorkloads(ctx);
  const problems = judge({
    strategy: spec.boot.strategy,
    items,
    committedWithoutHashes: committed && hashes === null ? ((await readLedgerState(host))?.run ?? '') : null,
    unconfirmedTrialOf: await unconfirmedTrial(ctx),
    vms: running.vms,
    gpuProcesses: running.gpuProcesses,
  });
  if (problems.length > 0 || hashes === null || baseline === null)
    throw new ProvisionError('Blocked', problems.join('; ') || 'the ledger has no baseline of the GPUs', { problems });
  return { hashes, baseline, running };
}

/** Files as they were committed, for the plan; images have a list of their own. */
export const keptFiles = ({ hashes }: Rebootable): readonly PlannedFile[] =>
  [...hashes].flatMap(([path, sha256]) => (sha256 === null || isImage(path) ? [] : [{ path, sha256, action: 'kept' }]));

export async function plannedReboot(
  ctx: StepContext,
  { baseline, running }: Rebootable,
  purpose: Omit<RebootPurpose, 'running' | 'diff' | 'earlierBootSeconds'>,
): Promise<PlannedReboot> {
  const durations = await earlierBoots(ctx.host);
  const plan = await rebootPlan(ctx, { ...purpose, diff: '', earlierBootSeconds: durations, running });
  return { plan, baseline, k3sRuns: await k3sRuns(ctx) };
}

/** The lost run whose trial this boot is. Of one that was proven and committed, known-good is the default no more. */
async function unconfirmedTrial({ host, run }: StepContext): Promise<string | null> {
  const trial = trialRunOf((await host.bootReading()).commandLine);
  if (trial === null || trial === run.id) return null;
  const lost = await lostReboot(host);
  return lost !== null && lost.run === trial && lost.knownGoodIsDefault ? trial : null;
}

async function earlierBoots(host: RemoteHost): Promise<readonly number[]> {
  const journal = ['journalctl', '--output=json', '--no-pager'];
  const boots = await host.exec([...journal, '--list-boots']);
  const reboots = await host.exec([...journal, 'UNIT=reboot.target', 'JOB_RESULT=done', '--quiet']);
  return earlierBootSeconds(boots.stdout, reboots.stdout.split('\n'));
}
