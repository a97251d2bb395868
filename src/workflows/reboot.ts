/**
 * A reboot from the workflow's side: arm, ask, wait on a bounded ladder, and say which boot it became. No rung is taken without
 * fresh probes made after its deadline: a controller that was blind never power-cycles a healthy host.
 * @module
 */
import type { BootOutcome } from '../domain/boot/reboot.js';
import { UNDO_ALLOWANCE } from '../domain/boot/plan.js';
import type { RungStatus } from '../domain/run/messages.js';
import type { LadderSpec } from '../domain/spec.js';
import type { RebootInput } from '../activities/reboot.js';
import { call } from './act.js';
import { failureType, ranOutOfTime, reportFailure, rethrowBug } from './failure.js';
import { now, secondsSince, type Run } from './run.js';
import { isCancellation } from '@temporalio/workflow';

type Act = 'bmc.look' | 'bmc.graceful-restart' | 'bmc.power-cycle';

interface Rung {
  readonly rung: Exclude<RungStatus['rung'], 'person'>;
  /** What is done at its beginning; null where only time is given. */
  readonly act: Act | null;
  readonly patience: keyof LadderSpec;
}

/** In the order they are taken. After the last one a person is asked. */
const LADDER: readonly Rung[] = [
  { rung: 'wait', act: null, patience: 'waitSeconds' },
  { rung: 'look', act: 'bmc.look', patience: 'lookSeconds' },
  { rung: 'graceful', act: 'bmc.graceful-restart', patience: 'gracefulSeconds' },
  { rung: 'power-cycle', act: 'bmc.power-cycle', patience: 'powerCycleSeconds' },
];

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
  const { asked } = await call('reboot.request', input, {
    site,
    policy: 'change',
    summary: `reboot ${input.number}, if boot id is still ${request.oldBootId}`,
  });
  run.rebootStatus = { ...currentReboot(run), requestedAt: now() };
  run.counts[request.purpose === 'forward' ? 'forwardReboots' : 'undoReboots'] += 1;
  if (!asked) run.event('reboot', 'the host is in another boot already');
  return awaitBoot(run, input, { mayPush: true });
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
  return awaitBoot(run, input, permission);
}

async function awaitBoot(run: Run, input: RebootInput, permission: Permission): Promise<BootOutcome> {
  const ladder = run.input.spec.boot.ladder;
  const hasBmc = run.input.spec.bmc.kind !== 'none';
  const began = run.rebootStatus?.requestedAt ?? now();
  planLadder(run, began, hasBmc);

  for (const rung of LADDER) {
    // Without a BMC the ladder ends with patience: there is nothing to look with and nothing to push.
    if (rung.act !== null && !hasBmc) break;
    if (rung.act !== null && rung.act !== 'bmc.look' && !permission.mayPush) break;
    if (rung.act === 'bmc.power-cycle' && run.counts.powerCycles >= UNDO_ALLOWANCE.powerCycles) break;
    if (rung.act !== null) {
      takeRung(run, rung.rung);
      const seen = await actOn(run, rung.act, input);
      if (seen !== null) return conclude(run, seen);
    }
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
    }
    const summary = `wait up to ${seconds} s for a new boot`;
    return await call('reboot.await-return', input, { site, policy, summary, scheduleToCloseSeconds: left() });
  } catch (error) {
    rethrowBug(error);
    if (isCancellation(error) || !ranOutOfTime(error)) throw error;
    return null;
  }
}

/** Does what a rung does. A host that turns out to answer is an outcome; a BMC that fails is an event, and the ladder goes on. */
async function actOn(run: Run, act: Act, input: RebootInput): Promise<BootOutcome | null> {
  const { site } = run;
  const policy = 'bmc';
  try {
    if (act === 'bmc.look') {
      const found = await call(act, run.step, { site, policy, summary: 'look at power state and event log' });
      const bmc = found === null ? null : `power ${found.power}; ${found.eventLog.at(-1) ?? 'event log empty'}`;
      run.rebootStatus = { ...currentReboot(run), bmc };
      run.event('rung', `BMC says: ${bmc ?? 'nothing'}`);
      return null;
    }
    const action = await call(act, input, { site, policy, summary: `${act}, unless the host answers after all` });
    if (action.done) {
      if (act === 'bmc.power-cycle') run.counts.powerCycles += 1;
      run.event('rung', `${act}: ${action.evidence}`);
      return null;
    }
    run.event('rung', `${act} not done: ${action.evidence}`);
    return await look(run, input);
  } catch (error) {
    rethrowBug(error);
    if (isCancellation(error)) throw error;
    if (failureType(error) !== 'BmcUnavailable' && !ranOutOfTime(error)) throw error;
    run.event('rung', `${act} failed: ${reportFailure(error, null, null).message}`);
    return null;
  }
}

async function look(run: Run, input: RebootInput): Promise<BootOutcome> {
  return call('reboot.look', input, { site: run.site, policy: 'probe', summary: 'which boot is the host in now' });
}

/** Anything that answers is left alone by the BMC: also an old boot, also a foreign key. */
const answers = (outcome: BootOutcome): boolean => outcome.kind !== 'left-not-back';

function conclude(run: Run, outcome: BootOutcome): BootOutcome {
  run.rebootStatus = { ...currentReboot(run), outcome };
  run.event('back', `${outcome.kind}: ${outcome.evidence}`);
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
  };
  return rebootInput(run, request, number);
}

function rebootInput(run: Run, request: RebootRequest, number: number): RebootInput {
  return { ...run.step, ...request, number };
}

function currentReboot(run: Run): NonNullable<Run['rebootStatus']> {
  if (run.rebootStatus === null) throw new TypeError('no reboot has begun');
  return run.rebootStatus;
}

function planLadder(run: Run, began: string, hasBmc: boolean): void {
  const spec = run.input.spec.boot.ladder;
  let at = Date.parse(began);
  const ladder: RungStatus[] = [];
  for (const rung of LADDER) {
    const available = rung.act === null || hasBmc;
    ladder.push({
      rung: rung.rung,
      at: new Date(at).toISOString(),
      state: rung.rung === 'wait' ? 'now' : available ? 'next' : 'unavailable',
    });
    if (available) at += spec[rung.patience] * 1_000;
  }
  ladder.push({ rung: 'person', at: new Date(at).toISOString(), state: 'next' });
  run.rebootStatus = { ...currentReboot(run), ladder };
}

function takeRung(run: Run, rung: RungStatus['rung']): void {
  const status = currentReboot(run);
  const ladder = status.ladder.map((r): RungStatus => {
    if (r.rung === rung) return { ...r, at: now(), state: 'now' };
    return r.state === 'now' ? { ...r, state: 'past' } : r;
  });
  run.rebootStatus = { ...status, ladder };
  run.event('rung', `next rung: ${rung}`);
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
