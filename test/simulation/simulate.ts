/**
 * One run of the product's workflow in a simulated world, and what did not hold in it.
 * @module
 */
import { PHASE_NAMES, PHASES } from '../../src/domain/run/phases.js';
import { DAY_2_WORKFLOW_TYPES, WORKFLOW_TYPE, type RunStatus } from '../../src/domain/run/messages.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import type { Fault } from '../faults.js';
import { serverSpec } from '../support/server-spec.js';
import type { Guards } from '../workflow/world.js';
import { VirtualClock } from './clock.js';
import { SimulatedHost } from './host.js';
import { FaultInjection } from './injection.js';
import { Invariants } from './invariants.js';
import { People } from './people.js';
import type { Schedule } from './schedule.js';
import { SimulatedTemporal, type Closed } from './temporal.js';
import { SimulatedWorker } from './worker.js';
import { WorkflowInstance, type WorkflowCode } from './workflow-instance.js';

const BEGIN_MS = Date.parse('2026-01-05T08:00:00Z');
/** A run with the worst of schedules takes some tens of thousands. */
const STEP_LIMIT = 300_000;
/** With nothing left to go wrong, so many repairs must be enough. */
const REPAIR_LIMIT = 8;
/** What the run started may go on so long after its end. */
const AFTERMATH_MS = 4 * 3_600_000;

const UNFIT: Fault = {
  kind: 'fails-for-good',
  at: 'preflight.check',
  call: 1,
  attempt: 1,
  point: 'before',
  awaySeconds: 0,
};

export interface SimulatedRun {
  readonly closed: Closed | null;
  readonly status: RunStatus | null;
  /** Empty when all invariants held. */
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  /** Activities, in the order in which the workflow scheduled them. */
  readonly scheduled: readonly string[];
  /** Faults that struck; others named an act that did not take place. */
  readonly struck: number;
  readonly tasks: number;
  readonly seconds: number;
}

export async function simulate(
  code: WorkflowCode,
  schedule: Schedule,
  guards: Partial<Guards> = {},
): Promise<SimulatedRun> {
  const clock = new VirtualClock(BEGIN_MS);
  const trace: string[] = [];
  const note = (text: string): void => void trace.push(`${new Date(clock.nowMs).toISOString().slice(5, 19)} ${text}`);
  const spec = serverSpec({ cluster: { ...serverSpec().cluster, acceptance: schedule.acceptance } });
  const runId = 'simulated';
  const host = new SimulatedHost(clock, spec.boot.deadManSeconds, (work) => {
    note(`effect ${work.name} epoch ${work.input.run.epoch}${work.value === undefined ? '' : ` ${brief(work.value)}`}`);
    invariants.effect(work, host, temporal.closed);
  });
  prepare(host, schedule);
  Object.assign(host.guards, guards);
  const type = schedule.purpose === 'provision' ? WORKFLOW_TYPE : DAY_2_WORKFLOW_TYPES[schedule.purpose];
  const instance = new WorkflowInstance(code, runId, type, BEGIN_MS);
  const faults = schedule.found === 'unfit' ? [UNFIT, ...schedule.faults] : schedule.faults;
  const injection = new FaultInjection(faults, host, () => temporal, note);
  const worker = new SimulatedWorker(clock, host, (task, point) => injection.strike(task, point));
  const temporal = new SimulatedTemporal(clock, instance, worker, note);
  const people = new People(schedule, clock, temporal, host, note);
  const invariants = new Invariants(
    schedule,
    host,
    () => people,
    () => temporal.leftRunning(),
  );
  const phases = PHASE_NAMES.slice(0, schedule.phases === 'isolation' ? 4 : PHASES.length);
  // As before means before that run.
  if (schedule.found === 'abandoned') abandon(host);
  temporal.start({ spec, phases, startedBy: 'op-b@ops2' });

  let status: RunStatus | null = null;
  let asked: string | null = null;
  try {
    for (let steps = 0; temporal.closed === null; steps += 1) {
      const goesOn = (await clock.step()) && steps < STEP_LIMIT && people.putRight <= REPAIR_LIMIT;
      invariants.hold('L1', goesOn, `no end after ${steps} steps and ${people.putRight} repairs`);
      if (!goesOn || invariants.violations.length > 0) break;
      if (temporal.gate === asked) continue;
      asked = temporal.gate;
      if (asked === null) continue;
      status = (await temporal.status()) as RunStatus;
      note(`asked ${asked}: ${status.question?.text}`);
      invariants.asked(status);
      people.asked(status);
    }
    status = (await temporal.status()) as RunStatus;
    note(`${temporal.closed ?? 'open'} ${status.outcome ?? ''} ${status.failure?.message ?? ''}`);
    if (temporal.closed !== null) {
      const endMs = clock.nowMs + AFTERMATH_MS;
      const fired = host.deadManFired;
      while (clock.nowMs < endMs && (await clock.step()));
      invariants.hold('S3', fired || !host.deadManFired, 'the run ended in a trial that nobody confirmed');
      invariants.ended(status, temporal.closed, host);
    }
  } catch (error) {
    invariants.hold('bug', false, error instanceof Error ? error.message : String(error));
  } finally {
    await instance.evict();
  }
  return {
    closed: temporal.closed,
    status,
    violations: invariants.violations,
    trace,
    scheduled: temporal.scheduled,
    struck: injection.struck,
    tasks: temporal.tasks,
    seconds: Math.round((clock.nowMs - BEGIN_MS) / 1_000),
  };
}

function prepare(host: SimulatedHost, schedule: Schedule): void {
  host.behaviours = [...schedule.behaviours];
  host.cyclesThatStop = schedule.cyclesThatStop;
  host.disks = Array.from({ length: schedule.disks }, (_, n) => `SERIAL-${n + 1}`);
  if (schedule.found === 'held') host.fence = { id: 'another-run', epoch: 1 };
  if (schedule.found === 'isolated') {
    Object.assign(host, { committed: true, defaultMade: true, entry: 'trial', imagesRebuilt: true });
    for (const { name } of stepsOf('gpu-isolation')) host.staged.add(name);
  }
  if (schedule.found === 'in-use') {
    host.k3sWasThere = true;
    const heldByAdministrator = 'isolation.hold-kernel';
    for (const name of [...[...stepsOf('k3s'), ...stepsOf('nested-cluster')].map((s) => s.name), heldByAdministrator]) {
      host.foreign.add(name);
      host.staged.add(name);
    }
  }
}

/** A run was terminated when it had staged everything. */
function abandon(host: SimulatedHost): void {
  host.abandonedRun = 'a-run-that-was-terminated';
  host.imagesRebuilt = true;
  for (const { name } of stepsOf('gpu-isolation')) host.staged.add(name);
}

const brief = (value: unknown): string => JSON.stringify(value)?.slice(0, 90) ?? '';
