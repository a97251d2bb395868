/**
 * A reboot from the workflow's side: arm, ask, wait on a bounded ladder, and say which boot it became. No rung is taken without
 * fresh probes made after its deadline: a controller that was blind never power-cycles a healthy host.
 * @module
 */
import { isCancellation } from '@temporalio/workflow';
import type { BootOutcome } from '../domain/boot/reboot.js';
import type { RebootInput } from '../activities/reboot.js';
import { call } from './act.js';
import { announce, tell } from './announce.js';
import { record } from './audit.js';
import { besideConsole } from './console.js';
import { failureType, ranOutOfTime, rethrowBug } from './failure.js';
import { observe } from './metrics.js';
import { now, secondsSince, type Run } from './run.js';
import { currentReboot, LADDER, look, planLadder, take, takeRung } from './rungs.js';

export interface RebootRequest {
  readonly purpose: 'forward' | 'undo';
  /** The boot that is asked to end. */
  readonly oldBootId: string;
  /** Token of the trial that should boot, or null when the default entry should. */
  readonly trial: string | null;
}

/** Reboots the host and waits for it. Never throws for what the host does: that is the outcome. */
export async function reboot(run: Run, request: RebootRequest): Promise<BootOutcome> {
  const { site } = run;
  const input = beginReboot(run, request);
  if (request.trial !== null) {
    await call('reboot.arm', run.step, { site, policy: 'change', summary: 'arm the one-shot trial, read back' });
  }
  run.event('reboot', `reboot ${input.number} (${request.purpose}) is asked for; boot ${request.oldBootId} ends`);
  return besideConsole(run, input, async () => {
    const asked = await ask(run, request, input);
    if (!asked) run.event('reboot', 'the host is in another boot already');
    else if (request.purpose === 'forward') tell(run, 'reboot');
    return awaitBoot(run, input, { mayPush: true });
  });
}

/**
 * Counts as asked from before the request goes out: when the answer is lost, or a cancel comes in between, the host may well be on its
 * way down. False when it is in another boot already.
 */
async function ask(run: Run, request: RebootRequest, input: RebootInput): Promise<boolean> {
  const counted = request.purpose === 'forward' ? 'forwardReboots' : 'undoReboots';
  run.rebootStatus = { ...currentReboot(run), requestedAt: now() };
  run.counts[counted] += 1;
  record(run, 'reboot');
  try {
    const { asked } = await call('reboot.request', input, {
      site: run.site,
      policy: 'change',
      summary: `reboot ${input.number}, if boot id is still ${request.oldBootId}`,
    });
    return asked;
  } catch (error) {
    rethrowBug(error);
    // The host answered that it does not.
    if (!isCancellation(error) && failureType(error) === 'CommandFailed') {
      run.rebootStatus = { ...currentReboot(run), requestedAt: null };
      run.counts[counted] -= 1;
    }
    throw error;
  }
}

export interface Permission {
  /** Whether the BMC may be used against a host that doesn't answer. */
  readonly mayPush: boolean;
}

/** Which boot the host is in now; waits, and escalates if permitted, when it does not answer. For the begin of compensation. */
export async function settle(run: Run, request: RebootRequest, permission: Permission): Promise<BootOutcome> {
  const known = run.rebootStatus?.oldBootId === request.oldBootId ? run.rebootStatus : null;
  const input = known === null ? beginReboot(run, request) : rebootInput(run, request, known.number);
  // A reboot that was asked for and not yet seen to end: the old boot may still answer while it shuts down.
  const underWay = known !== null && known.requestedAt !== null && known.outcome === null;
  if (!underWay) {
    const seen = await look(run, input);
    if (answers(seen)) return conclude(run, seen);
  }
  return besideConsole(run, input, () => awaitBoot(run, input, permission));
}

async function awaitBoot(run: Run, input: RebootInput, permission: Permission): Promise<BootOutcome> {
  const ladder = run.input.spec.boot.ladder;
  const hasBmc = run.input.spec.bmc.kind !== 'none';
  const began = run.rebootStatus?.requestedAt ?? now();
  planLadder(run, began, hasBmc);

  for (const rung of LADDER) {
    // Without a BMC the ladder ends with patience: there is nothing to look with and nothing to push.
    if (rung.act !== null && !hasBmc) break;
    if (rung.pushes && !permission.mayPush) break;
    const taken = await take(run, rung, input);
    if (taken === 'nothing-left') break;
    if (taken !== 'wait') return conclude(run, taken);
    const seconds =
      rung.rung === 'wait' ? Math.max(1, ladder[rung.patience] - secondsSince(began)) : ladder[rung.patience];
    const back = await waitForReturn(run, input, seconds);
    if (back !== null) return conclude(run, back);
    // The deadline may have passed while no worker was there to look: what counts is what is true now.
    const fresh = await look(run, input);
    if (answers(fresh)) return conclude(run, fresh);
    run.event('rung', `${rung.rung}: not back after ${seconds} s (${fresh.evidence})`);
  }
  takeRung(run, 'person');
  return conclude(run, await look(run, input));
}

/** The new boot, or null when the time is over. */
async function waitForReturn(run: Run, input: RebootInput, seconds: number): Promise<BootOutcome | null> {
  const { site } = run;
  const deadline = Date.now() + seconds * 1_000;
  const left = (): number => Math.max(1, Math.round((deadline - Date.now()) / 1_000));
  const policy = 'await-boot';
  try {
    if (currentReboot(run).leftAt === null) {
      const summary = `wait until the host has left boot ${input.oldBootId}`;
      const { leftAt } = await call('reboot.await-left', input, {
        site,
        policy,
        summary,
        scheduleToCloseSeconds: left(),
      });
      run.rebootStatus = { ...currentReboot(run), leftAt };
      run.event('left', 'the old boot answers no more');
      observe('gpu_provision_detection_lag_seconds', lag(leftAt), { site, change: 'left' });
    }
    const summary = `wait up to ${seconds} s for a new boot`;
    const back = await call('reboot.await-return', input, { site, policy, summary, scheduleToCloseSeconds: left() });
    if (back.seenAt !== null) {
      observe('gpu_provision_detection_lag_seconds', lag(back.seenAt), { site, change: 'returned' });
    }
    return back;
  } catch (error) {
    rethrowBug(error);
    if (isCancellation(error) || !ranOutOfTime(error)) throw error;
    return null;
  }
}

/** The clocks are those of a worker and of Temporal, which may differ. */
const lag = (seenAt: string): number => Math.max(0, (Date.now() - Date.parse(seenAt)) / 1_000);

/** Anything that answers is left alone by the BMC: also an old boot, also a foreign key. */
const answers = (outcome: BootOutcome): boolean => outcome.kind !== 'left-not-back';

function conclude(run: Run, outcome: BootOutcome): BootOutcome {
  const before = currentReboot(run);
  run.rebootStatus = { ...before, outcome };
  if (before.requestedAt !== null && before.outcome === null) {
    const labels = { site: run.site, purpose: before.purpose, outcome: outcome.kind };
    observe('gpu_provision_reboot_duration_seconds', secondsSince(before.requestedAt), labels);
  }
  run.event('back', `${outcome.kind}: ${outcome.evidence}`);
  // Undo settles once more what the reboot has concluded.
  if (outcome.kind === 'fell-back' && before.outcome?.kind !== 'fell-back') announce(run, 'fell-back');
  return outcome;
}

function beginReboot(run: Run, request: RebootRequest): RebootInput {
  const number = (run.rebootStatus?.number ?? 0) + 1;
  const usual = run.facts?.earlierBootSeconds ?? [];
  run.rebootStatus = {
    number,
    purpose: request.purpose,
    oldBootId: request.oldBootId,
    requestedAt: null,
    leftAt: null,
    outcome: null,
    ladder: [],
    usualSeconds: median(usual),
    bmc: null,
    console: null,
  };
  return rebootInput(run, request, number);
}

function rebootInput(run: Run, request: RebootRequest, number: number): RebootInput {
  return { ...run.step, ...request, number };
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
