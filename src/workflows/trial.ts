/**
 * A boot that has to be proven: entered once, verified twice, confirmed, and only then the default.
 * @module
 */
import { sleep } from '@temporalio/workflow';
import type { CommitActivities } from '../activities/commit.js';
import { call } from './act.js';
import { record } from './audit.js';
import { factsOf, fail, failureType, rethrowBug, tableOf } from './failure.js';
import { reboot, type RebootRequest } from './reboot.js';
import { needsHands, openConsole, resumeCommand } from './restore-host.js';
import type { Run } from './run.js';

/** Reboots into the trial, or with the direct strategy into the default. The boot id of what came up. Throws BootFailed. */
export async function bootTrial(run: Run, request: RebootRequest): Promise<string> {
  const boot = await reboot(run, request);
  if (boot.bootId !== null && boot.kind === (request.trial === null ? 'default' : 'trial')) return boot.bootId;
  throw fail('BootFailed', `reboot ${run.rebootStatus?.number ?? 1}: ${boot.kind}. ${boot.evidence}`, boot);
}

/** All within boot.verify, beside settling: the dead-man counts, and its window is longer than both. */
export async function prove(run: Run, k3sRan: boolean): Promise<void> {
  const { settleSeconds, verifySeconds } = run.input.spec.boot;
  let deadline = Date.now() + verifySeconds * 1_000;
  const left = (): number => Math.max(1, Math.round((deadline - Date.now()) / 1_000));
  await verifyDevices(run, left());
  if (k3sRan) await awaitK3s(run, left());
  await sleep(settleSeconds * 1_000, { summary: 'settling: drivers may be rebound minutes after a boot' });
  deadline += settleSeconds * 1_000;
  await verifyDevices(run, left());
}

async function verifyDevices(run: Run, scheduleToCloseSeconds: number): Promise<void> {
  run.currentStep = 'isolation.verify-devices';
  try {
    const { artifacts, ...table } = await call(
      'isolation.verify-devices',
      { ...run.step, baseline: baselineOf(run) },
      {
        site: run.site,
        policy: 'read',
        summary: 'truth table: every GPU on vfio-pci, and nothing else',
        scheduleToCloseSeconds,
      },
    );
    run.keep(artifacts);
    run.truthTable = table;
  } catch (error) {
    run.keep(factsOf(error).artifacts);
    // The table that failed is the evidence people want most.
    run.truthTable = tableOf(error) ?? run.truthTable;
    throw error;
  }
  run.event('verified', `${run.truthTable.rows.length} of ${run.truthTable.rows.length} GPUs on vfio-pci`);
}

/** A cluster that was there before the reboot must be back after it; its API takes a while. */
async function awaitK3s(run: Run, scheduleToCloseSeconds: number): Promise<void> {
  run.currentStep = 'k3s.await-node';
  await call('k3s.await-node', run.step, {
    site: run.site,
    policy: 'cluster-wait',
    summary: 'wait until k3s is back',
    scheduleToCloseSeconds,
  });
  run.event('verified', 'k3s is back');
}

export function baselineOf(run: Run): NonNullable<Run['facts']>['baseline'] {
  if (run.facts === null) throw new TypeError('preflight has not run');
  return run.facts.baseline;
}

interface CommitStep {
  readonly name: keyof CommitActivities;
  readonly summary: string;
}

const PROVE: readonly CommitStep[] = [
  { name: 'commit.confirm-boot', summary: 'confirm, so that the dead-man stops' },
  { name: 'commit.check-default', summary: 'the generated default is what was proven' },
];

/** Before the trial is the default: what fails here can still be undone. */
export const confirm = (run: Run, bootId: string): Promise<void> => take(run, PROVE, bootId);

const MAKE_DEFAULT: CommitStep = { name: 'commit.make-default', summary: 'let the proven entry be the default' };
const CLOSE = {
  'commit.close': 'remove the dead-man, unmask timers, close the ledger',
  'commit.close-reboot': 'remove the dead-man; files, holds and ledger stay as they were committed',
  'commit.close-upgrade': 'remove the dead-man; commit and hold the new kernel',
} as const satisfies Partial<Record<keyof CommitActivities, string>>;

async function take(run: Run, steps: readonly CommitStep[], bootId: string): Promise<void> {
  for (const { name, summary } of steps) {
    run.beginStep(name, summary);
    const said = await call(name, { ...run.step, bootId }, { site: run.site, policy: 'undo', summary });
    run.endStep(name, 'done', { summary: said });
  }
}

/** A host that is proven is not sent back to known-good, by nobody. */
const keepRunning = (run: Run): readonly string[] => [
  openConsole(run),
  `have ${run.input.spec.ssh.host} answer by SSH; if it has to be restarted, choose nothing in the GRUB menu`,
  resumeCommand(run),
];

/**
 * Forward only. What fails here waits for a person; the host is in the proven boot, and confirmed. Except: a host that left that
 * boot (a power cut) before the default was made is in known-good, where nothing is proven; that is thrown, and undone.
 */
export async function commit(run: Run, bootId: string, close: keyof typeof CLOSE): Promise<void> {
  for (;;) {
    try {
      await take(run, [MAKE_DEFAULT, { name: close, summary: CLOSE[close] }], bootId);
      await call('workloads.uncordon', run.step, { site: run.site, policy: 'undo', summary: 'let the scheduler back' });
      record(run, 'committed');
      const count = run.input.spec.gpus.addresses.length;
      run.setPhase(
        'gpu-isolation',
        'done',
        `${count}/${count} vfio-pci, checked twice; default entry = the one proven`,
      );
      return;
    } catch (error) {
      rethrowBug(error);
      if (failureType(error) === 'Drifted') throw error;
      await needsHands(run, error, keepRunning);
      // What a person has solved is no failure of a run that ends provisioned.
      run.failure = null;
    }
  }
}
