/**
 * The worker's part in a simulated run: each activity as the commands that it runs on the host, one after the other, in virtual time.
 * @module
 */
import { ApplicationFailure } from '@temporalio/common';
import type { FaultPoint } from '../faults.js';
import { failure } from '../workflow/modelled-activities.js';
import type { Attempt, AttemptEnd } from './activity-state.js';
import type { VirtualClock } from './clock.js';
import type { SimulatedHost, Work } from './host.js';
import type { ActivityWorker, Task } from './temporal.js';

const SECOND_MS = 1_000;
const READ_MS = 2 * SECOND_MS;
const COMMAND_MS = 6 * SECOND_MS;
const UNIT_MS = 120 * SECOND_MS;
/** The API of a young cluster is slow. */
const REQUEST_MS = 30 * SECOND_MS;
const POLL_MS = 10 * SECOND_MS;
const PROBES = 3;
/** LOCK_WAIT_SECONDS of host/remote-host.ts. */
const LOCK_WAIT_MS = 45 * SECOND_MS;
/** An activity heartbeats three times within its timeout: define-step.ts. */
const BEATS = 3;

/** Yields the milliseconds that pass; returns what the activity answers, and throws what it fails with. */
type Program = Generator<number, unknown, void>;

/** What strikes an attempt at a point. */
export interface Strike {
  readonly failure?: ApplicationFailure;
  /** It hangs so long, and hears nothing meanwhile. */
  readonly hangsMs?: number;
}

export type Strikes = (task: Task, point: FaultPoint) => Strike | null;

export class SimulatedWorker implements ActivityWorker {
  constructor(
    private readonly clock: VirtualClock,
    private readonly host: SimulatedHost,
    private readonly strikes: Strikes,
  ) {}

  start(task: Task, report: (end: AttemptEnd) => void): Attempt {
    const attempt = new RunningAttempt(this.clock, task, report, (self) => this.program(task, self));
    attempt.begin();
    return attempt;
  }

  private *program(task: Task, self: RunningAttempt): Program {
    yield* this.point(task, self, 'before');
    const result = yield* this.act(task, self);
    yield* this.point(task, self, 'after');
    return result;
  }

  private *point(task: Task, self: RunningAttempt, point: FaultPoint): Generator<number, void, void> {
    const strike = this.strikes(task, point);
    if (strike === null) return;
    // Whatever struck may have ended this attempt: it goes on only if not.
    yield 0;
    if (strike.hangsMs !== undefined) {
      self.hears = false;
      yield strike.hangsMs;
      self.hears = true;
    }
    if (strike.failure !== undefined) throw strike.failure;
  }

  private act(task: Task, self: RunningAttempt): Program {
    const { kind } = this.host.activity(task.name);
    if (task.name === 'restore.take-over') return this.takeOver(task, self);
    if (task.name === 'host.release') return this.release(task, self);
    if (task.name === 'bmc.console') return this.console(task, self);
    if (kind === 'change') return this.change(task, self);
    if (kind === 'unit') return this.unit(task, self);
    if (kind === 'cluster') return this.request(task, self);
    if (kind === 'read') return this.read(task, self);
    return this.probe(task, self);
  }

  private *read(task: Task, self: RunningAttempt): Program {
    this.host.admit(task.name, task.input);
    yield READ_MS;
    yield* this.point(task, self, 'during');
    this.host.admit(task.name, task.input);
    const work = this.begin(task);
    this.host.finish(work, () => this.host.apply(task.name, task.input));
    return answer(work);
  }

  /** Two commands: the original is saved, then the change is made. */
  private *change(task: Task, self: RunningAttempt): Program {
    yield* this.command(task, self, null);
    return yield* this.command(task, self, () => this.host.apply(task.name, task.input));
  }

  private *command(task: Task, self: RunningAttempt, effect: (() => unknown) | null): Program {
    const giveUpMs = this.clock.nowMs + LOCK_WAIT_MS;
    while (this.host.locked !== null) {
      if (this.clock.nowMs >= giveUpMs) throw failure('CommandTimeout', 'the lock of the host is busy');
      yield SECOND_MS;
    }
    this.host.admit(task.name, task.input);
    const work = this.begin(task);
    this.host.command(work, COMMAND_MS, effect);
    yield COMMAND_MS / 2;
    if (effect !== null) yield* this.point(task, self, 'during');
    while (work.state === 'running') yield SECOND_MS;
    return answer(work);
  }

  /** RemoteHost.runUnit: a unit that runs already is waited for, and its result counts. */
  private *unit(task: Task, self: RunningAttempt): Program {
    if (this.host.staged.has(task.name)) return yield* this.read(task, self);
    if (!this.host.units.has(task.name)) {
      const start = (): void => {
        const run = (): unknown => this.host.apply(task.name, task.input);
        this.host.unit(this.begin(task), UNIT_MS, run);
      };
      yield* this.command(task, self, null);
      this.host.admit(task.name, task.input);
      start();
    }
    const unit = this.host.units.get(task.name);
    if (unit === undefined) throw failure('LinkLost', 'the unit is gone without a result');
    yield POLL_MS;
    yield* this.point(task, self, 'during');
    while (unit.state === 'running') {
      if (!this.host.online) throw failure('HostUnreachable', 'no answer');
      yield POLL_MS;
    }
    return answer(unit);
  }

  /** Not fenced, and over when its activity is. */
  private *request(task: Task, self: RunningAttempt): Program {
    this.host.admit(task.name, task.input);
    const work = this.begin(task);
    this.host.requests.add(work);
    try {
      yield REQUEST_MS;
      yield* this.point(task, self, 'during');
      this.host.admit(task.name, task.input);
      this.host.finish(work, () => this.host.apply(task.name, task.input));
      return answer(work);
    } finally {
      this.host.requests.delete(work);
    }
  }

  /** Waits for the units of the run first. */
  private *release(task: Task, self: RunningAttempt): Program {
    yield* this.drained(task);
    return yield* this.change(task, self);
  }

  private *drained({ input }: Task): Generator<number, void, void> {
    while (this.host.guards.drain && this.host.units.size > 0) {
      yield POLL_MS;
      this.host.admit('restore.verify', input);
    }
  }

  private *probe(task: Task, self: RunningAttempt): Program {
    const waits = task.name.startsWith('reboot.await');
    for (let n = 1; ; n += 1) {
      yield this.host.online ? READ_MS : POLL_MS;
      yield* this.point(task, self, 'during');
      const work = this.begin(task);
      this.host.finish(work, () => this.host.apply(task.name, task.input));
      if (!waits || work.error === undefined) return answer(work);
      if (n === PROBES) throw failure('NotBackYet', 'no answer yet');
      yield POLL_MS;
    }
  }

  /** Reads until it is cancelled, which is how it is told to answer. */
  private *console(task: Task, self: RunningAttempt): Program {
    self.answersCancel = true;
    yield READ_MS;
    yield* this.point(task, self, 'during');
    while (!self.heardCancel) yield POLL_MS;
    const work = this.begin(task);
    this.host.finish(work, () => this.host.apply(task.name, task.input));
    return answer(work);
  }

  /** Raises the fence under the lock, then lets units end. */
  private *takeOver(task: Task, self: RunningAttempt): Program {
    const taken = yield* this.command(task, self, () => this.host.apply(task.name, task.input));
    yield* this.drained(task);
    return taken;
  }

  private begin({ name, input }: Task): Work {
    return {
      name,
      input,
      beganMs: this.clock.nowMs,
      withForeignKey: !this.host.keyMatches,
      state: 'running',
      value: undefined,
      error: undefined,
    };
  }
}

function answer(work: Work): unknown {
  if (work.state === 'lost') throw failure('LinkLost', 'the host went down meanwhile');
  if (work.error !== undefined) throw work.error;
  return work.value;
}

class RunningAttempt implements Attempt {
  /** false while it hangs. */
  hears = true;
  /** A cancel does not end it: it goes on to its answer. */
  answersCancel = false;
  heardCancel = false;
  private over = false;
  private executing = false;
  private cancelRequested = false;
  private readonly program: Program;

  constructor(
    private readonly clock: VirtualClock,
    private readonly task: Task,
    private readonly report: (end: AttemptEnd) => void,
    program: (self: RunningAttempt) => Program,
  ) {
    this.program = program(this);
  }

  begin(): void {
    this.clock.after(0, () => this.resume());
  }

  requestCancel(): void {
    if (this.cancelRequested) return;
    this.cancelRequested = true;
    this.hearOfCancel();
  }

  kill(): void {
    this.over = true;
    if (!this.executing) this.program.return(undefined);
  }

  private hearOfCancel(): void {
    this.clock.after(this.task.heartbeatMs / BEATS, () => {
      if (this.over) return;
      if (!this.hears) return this.hearOfCancel();
      if (this.answersCancel) return void (this.heardCancel = true);
      this.kill();
      this.report({ cancelled: true });
    });
  }

  private resume(): void {
    if (this.over) return;
    this.executing = true;
    try {
      const { done, value } = this.program.next();
      if (this.over) return;
      if (done !== true) return this.clock.after(value, () => this.resume());
      this.over = true;
      this.report({ completed: value });
    } catch (error) {
      this.over = true;
      if (!(error instanceof ApplicationFailure)) throw error;
      this.report({ failed: error });
    } finally {
      this.executing = false;
      if (this.over) this.program.return(undefined);
    }
  }
}
