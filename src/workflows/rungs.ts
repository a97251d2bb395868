/**
 * The rungs of the ladder: what each does when it is taken, and how it shows. No power cycle beyond those a person approved, whatever
 * happens to the worker or the BMC.
 * @module
 */
import { isCancellation } from '@temporalio/workflow';
import { UNDO_ALLOWANCE } from '../domain/boot/plan.js';
import type { BootOutcome } from '../domain/boot/reboot.js';
import type { RungStatus } from '../domain/run/messages.js';
import type { LadderSpec } from '../domain/spec.js';
import type { RebootInput } from '../activities/reboot.js';
import { call } from './act.js';
import { record } from './audit.js';
import { failureType, ranOutOfTime, reportFailure, rethrowBug } from './failure.js';
import { increase } from './metrics.js';
import { now, type Run } from './run.js';

interface Rung {
  readonly rung: Exclude<RungStatus['rung'], 'person'>;
  /** What is done at its beginning; null where only time is given. */
  readonly act: ((run: Run, input: RebootInput) => Promise<Taken>) | null;
  /** Whether it does something to a host that doesn't answer. */
  readonly pushes: boolean;
  readonly patience: keyof LadderSpec;
}

/** A host that answers after all; or that there is something to wait for; or nothing left that may be done. */
export type Taken = BootOutcome | 'wait' | 'nothing-left';

/** In the order they are taken. After the last one a person is asked. */
export const LADDER: readonly Rung[] = [
  { rung: 'wait', act: null, pushes: false, patience: 'waitSeconds' },
  { rung: 'look', act: lookThroughBmc, pushes: false, patience: 'lookSeconds' },
  { rung: 'graceful', act: restartGracefully, pushes: true, patience: 'gracefulSeconds' },
  { rung: 'power-cycle', act: powerCycle, pushes: true, patience: 'powerCycleSeconds' },
];

/** Does what a rung does. A BMC that fails is an event, and the ladder goes on. */
export async function take(run: Run, { rung, act }: Rung, input: RebootInput): Promise<Taken> {
  if (act === null) return 'wait';
  takeRung(run, rung);
  try {
    return await act(run, input);
  } catch (error) {
    run.event('rung', `${rung} failed: ${bmcFailure(error)}`);
    return 'wait';
  }
}

/** What a BMC failed with, after which the ladder goes on. Throws every other error again. */
function bmcFailure(error: unknown): string {
  rethrowBug(error);
  if (isCancellation(error) || (failureType(error) !== 'BmcUnavailable' && !ranOutOfTime(error))) throw error;
  return reportFailure(error, null, null).message;
}

/** Which boot the host is in, by fresh connections. */
export async function look(run: Run, input: RebootInput): Promise<BootOutcome> {
  return call('reboot.look', input, { site: run.site, policy: 'probe', summary: 'which boot is the host in now' });
}

async function lookThroughBmc(run: Run): Promise<'wait'> {
  const found = await lookAtPower(run);
  const bmc = found === null ? null : `power ${found.power}; ${found.eventLog.at(-1) ?? 'event log empty'}`;
  run.rebootStatus = { ...currentReboot(run), bmc };
  run.event('rung', `BMC says: ${bmc ?? 'nothing'}`);
  return 'wait';
}

async function restartGracefully(run: Run, input: RebootInput): Promise<Taken> {
  const name = 'bmc.graceful-restart';
  const summary = 'ask for a restart, unless the host answers after all';
  record(run, 'graceful-restart');
  const action = await call(name, input, { site: run.site, policy: 'bmc-once', summary });
  run.event('rung', action.done ? `${name}: ${action.evidence}` : `${name} not done: ${action.evidence}`);
  return action.done ? 'wait' : look(run, input);
}

/**
 * Counted before it goes out, so that neither a lost worker nor a lost answer makes one more; one whose end nobody knows stays counted.
 * To turn on a machine that is off is no power cycle: that is always done, and as often as it needs.
 */
async function powerCycle(run: Run, input: RebootInput): Promise<Taken> {
  const name = 'bmc.power-cycle';
  if ((await lookAtPower(run))?.power === 'off') {
    await turnOn(run);
    return 'wait';
  }
  if (run.counts.powerCycles >= UNDO_ALLOWANCE.powerCycles) return 'nothing-left';
  run.counts.powerCycles += 1;
  record(run, 'power-cycle');
  const summary = `power cycle ${run.counts.powerCycles} of ${UNDO_ALLOWANCE.powerCycles}, unless the host answers after all`;
  try {
    const action = await call(name, input, { site: run.site, policy: 'bmc-once', summary });
    if (action.done) {
      run.event('rung', `${name}: ${action.evidence}`);
      return 'wait';
    }
    run.counts.powerCycles -= 1;
    run.event('rung', `${name} not done: ${action.evidence}`);
    return await look(run, input);
  } catch (error) {
    run.event('rung', `${name} counts as done: ${bmcFailure(error)}`);
    // It may have ended between off and on.
    await turnOn(run);
    return 'wait';
  }
}

async function turnOn(run: Run): Promise<void> {
  const summary = 'turn on what is off; no power cycle';
  record(run, 'power-on');
  const power = await call('bmc.power-on', run.step, { site: run.site, policy: 'bmc', summary });
  run.event('rung', `bmc.power-on: power is ${power}`);
}

const lookAtPower = (run: Run) =>
  call('bmc.look', run.step, { site: run.site, policy: 'bmc', summary: 'look at power state and event log' });

export function currentReboot(run: Run): NonNullable<Run['rebootStatus']> {
  if (run.rebootStatus === null) throw new TypeError('no reboot has begun');
  return run.rebootStatus;
}

/** Shows the whole ladder ahead. */
export function planLadder(run: Run, began: string, hasBmc: boolean): void {
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

export function takeRung(run: Run, rung: RungStatus['rung']): void {
  const status = currentReboot(run);
  const ladder = status.ladder.map((r): RungStatus => {
    if (r.rung === rung) return { ...r, at: now(), state: 'now' };
    return r.state === 'now' ? { ...r, state: 'past' } : r;
  });
  run.rebootStatus = { ...status, ladder };
  run.event('rung', `next rung: ${rung}`);
  increase('gpu_provision_escalations_total', { site: run.site, rung });
}
