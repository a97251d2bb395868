/**
 * PID 1: starts what is enabled, supervises services, runs transient units, and knows why a unit failed.
 * @module
 */
import { delay } from '../machine/clock.js';
import type { Kernel } from '../machine/kernel.js';
import type { Process, ProcessEnd } from '../shell/process.js';
import { environmentOf, expandWord, unmetCondition } from './unit-context.js';
import { findUnit, parseTimeSpan, splitCommand, wantedBy, type UnitFile } from './unit-file.js';

export type ActiveState = 'inactive' | 'activating' | 'active' | 'deactivating' | 'failed';

export interface Unit {
  readonly name: string;
  file: UnitFile | null;
  load: 'loaded' | 'not-found' | 'masked';
  active: ActiveState;
  sub: string;
  result: 'success' | 'exit-code' | 'signal' | 'timeout' | 'start-limit-hit';
  /** Exit status, or the number of the signal. */
  mainStatus: number;
  /** CLD_EXITED 1, CLD_KILLED 2, 0 before it ran. */
  mainCode: number;
  process: Process | null;
  condition: boolean;
  restarts: number;
  activeSince: number;
  invocation: number;
}

const SIGNALS: Readonly<Record<string, number>> = { HUP: 1, INT: 2, KILL: 9, TERM: 15 };
/** A service that asks for Restart= is given up after so many starts, as with systemd's default StartLimitBurst. */
const START_LIMIT = 5;

export class SystemManager {
  readonly units = new Map<string, Unit>();
  /** As `systemctl is-system-running` says; degraded is computed. */
  private phase: 'initializing' | 'starting' | 'running' | 'maintenance' | 'stopping' = 'initializing';
  private readonly timers = new Map<string, AbortController>();
  readonly booted: Promise<void>;
  private markBooted: () => void = () => {};

  constructor(private readonly kernel: Kernel) {
    this.booted = new Promise((resolve) => {
      this.markBooted = resolve;
    });
  }

  private get fs(): ReturnType<Kernel['fileSystem']> {
    return this.kernel.fileSystem(0);
  }

  get state(): string {
    if (this.phase !== 'running') return this.phase;
    return this.failed().length > 0 ? 'degraded' : 'running';
  }

  failed(): readonly Unit[] {
    return [...this.units.values()].filter((unit) => unit.active === 'failed');
  }

  // --- boot and shutdown ----------------------------------------------------------------------------------------------

  /** Starts everything up to the default target. False: the boot ended in emergency mode. */
  async boot(): Promise<boolean> {
    const log = (text: string): void => this.log('init.scope', text);
    log(`systemd 255.4-1ubuntu8.8 running in system mode`);
    log(`Hostname set to <${this.kernel.machine.name}>.`);
    const early = wantedBy('sysinit.target', this.fs);
    const independent = early.filter((name) => this.load(name).file?.get('Unit', 'DefaultDependencies') === 'no');
    await this.startTogether(independent);
    const missing = this.kernel.machine.missingMounts(this.fs);
    if (missing.length > 0) {
      for (const what of missing) {
        this.kernel.log(`systemd[1]: Timed out waiting for device ${what}.`);
        log(`Dependency failed for local-fs.target - Local File Systems.`);
      }
      this.kernel.log('You are in emergency mode. After logging in, type "journalctl -xb" to view system logs.');
      this.phase = 'maintenance';
      return false;
    }
    await this.startTogether(early.filter((name) => !independent.includes(name)));
    this.phase = 'starting';
    log('Reached target sysinit.target - System Initialization.');
    for (const target of ['timers.target', 'sockets.target', 'basic.target'])
      await this.startTogether(wantedBy(target, this.fs));
    await this.startTogether(wantedBy('multi-user.target', this.fs));
    log('Reached target multi-user.target - Multi-User System.');
    if (this.phase === 'starting') this.phase = 'running';
    log(`Startup finished in ${this.kernel.uptimeSeconds.toFixed(3)}s.`);
    this.markBooted();
    this.kernel.machine.changed();
    return true;
  }

  /** Stops all services, as an orderly shutdown does. */
  async stopAll(): Promise<void> {
    this.phase = 'stopping';
    for (const timer of this.timers.values()) timer.abort();
    const active = [...this.units.values()].filter((unit) => unit.process !== null || unit.active === 'activating');
    await Promise.all(active.map((unit) => this.stop(unit.name)));
  }

  private async startTogether(names: readonly string[]): Promise<void> {
    const started = new Map<string, Promise<unknown>>();
    for (const name of this.inOrder(names)) {
      const before = this.predecessors(name, names).flatMap((other) => started.get(other) ?? []);
      started.set(
        name,
        Promise.all(before).then(() => this.start(name)),
      );
    }
    await Promise.all(started.values());
  }

  private predecessors(name: string, among: readonly string[]): readonly string[] {
    const after = new Set(this.load(name).file?.words('Unit', 'After') ?? []);
    return among.filter(
      (other) =>
        other !== name && (after.has(other) || (this.load(other).file?.words('Unit', 'Before') ?? []).includes(name)),
    );
  }

  /** Predecessors first; a cycle is broken where it is met. */
  private inOrder(names: readonly string[]): readonly string[] {
    const order: string[] = [];
    const visiting = new Set<string>();
    const visit = (name: string): void => {
      if (visiting.has(name)) return;
      visiting.add(name);
      for (const other of this.predecessors(name, names)) visit(other);
      order.push(name);
    };
    for (const name of names) visit(name);
    return order;
  }

  // --- units ----------------------------------------------------------------------------------------------------------

  /** The unit; what isn't running is read anew from its file. */
  load(name: string): Unit {
    const known = this.units.get(name);
    if (known !== undefined && (known.active !== 'inactive' || known.process !== null)) return known;
    const found = findUnit(name, this.fs);
    const unit: Unit = known ?? {
      name,
      file: null,
      load: 'not-found',
      active: 'inactive',
      sub: 'dead',
      result: 'success',
      mainStatus: 0,
      mainCode: 0,
      process: null,
      condition: true,
      restarts: 0,
      activeSince: 0,
      invocation: 0,
    };
    unit.file = found.kind === 'found' ? found.file : null;
    unit.load = found.kind === 'found' ? 'loaded' : found.kind === 'masked' ? 'masked' : 'not-found';
    if (found.kind === 'missing') this.units.delete(name);
    else this.units.set(name, unit);
    return unit;
  }

  isTransient(unit: Unit): boolean {
    return unit.file?.path.startsWith('/run/systemd/transient/') === true;
  }

  /** Rereads files of what runs. */
  reload(): void {
    for (const unit of this.units.values()) {
      const found = findUnit(unit.name, this.fs);
      if (found.kind === 'found') unit.file = found.file;
    }
  }

  /** Resolves when the job is done: for a oneshot when it ended, for a daemon when it is up. Error text, or null. */
  async start(name: string): Promise<string | null> {
    const unit = this.load(name);
    if (unit.load === 'not-found') return `Failed to start ${name}: Unit ${name} not found.`;
    if (unit.load === 'masked') return `Failed to start ${name}: Unit ${name} is masked.`;
    if (unit.active === 'active' || unit.active === 'activating' || unit.active === 'deactivating') return null;
    const { file } = unit;
    if (file === null) return `Failed to start ${name}: Unit ${name} not found.`;
    for (const needed of [...file.words('Unit', 'Requires'), ...file.words('Unit', 'Wants')]) {
      if (needed.endsWith('.service') && needed !== name) await this.start(needed);
    }
    const unmet = unmetCondition(file, this.kernel);
    unit.condition = unmet === null;
    if (unmet !== null) {
      this.log(name, `${this.describe(unit)} was skipped because of an unmet condition check (${unmet}).`);
      return null;
    }
    if (name.endsWith('.timer')) return this.startTimer(unit);
    if (!name.endsWith('.service')) {
      this.enter(unit, 'active', name.endsWith('.target') ? 'active' : 'listening');
      for (const other of [...wantedBy(name, this.fs), ...file.words('Unit', 'Wants')]) await this.start(other);
      return null;
    }
    unit.restarts = 0;
    return this.run(unit);
  }

  async stop(name: string): Promise<void> {
    const unit = this.load(name);
    this.timers.get(name)?.abort();
    this.timers.delete(name);
    const { process } = unit;
    if (process !== null) {
      this.enter(unit, 'deactivating', 'stop-sigterm');
      this.log(name, `Stopping ${this.describe(unit)}...`);
      for (const command of unit.file?.all('Service', 'ExecStop') ?? []) await this.execute(unit, command);
      process.kill('TERM');
      await process.done;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (unit.active !== 'inactive') {
      this.log(name, `${name}: Deactivated successfully.`);
      this.log(name, `Stopped ${this.describe(unit)}.`);
    }
    unit.process = null;
    unit.result = 'success';
    this.enter(unit, 'inactive', 'dead');
    this.forgetTransient(unit);
  }

  resetFailed(name: string): void {
    const unit = this.load(name);
    if (unit.active !== 'failed') return;
    unit.result = 'success';
    this.enter(unit, 'inactive', 'dead');
    this.forgetTransient(unit);
  }

  private async run(unit: Unit): Promise<string | null> {
    const { file, name } = unit;
    if (file === null) return `Unit ${name} not found.`;
    const type = file.get('Service', 'Type') ?? 'simple';
    this.enter(unit, 'activating', 'start');
    unit.result = 'success';
    unit.mainStatus = 0;
    unit.mainCode = 0;
    unit.invocation += 1;
    this.log(name, `Starting ${this.describe(unit)}...`);
    for (const command of file.all('Service', 'ExecStartPre')) {
      const end = await this.execute(unit, command);
      if (end !== null && end.exitCode !== 0 && !command.startsWith('-')) return this.ended(unit, end, 'start-pre');
    }
    const commands = file.all('Service', 'ExecStart');
    if (type === 'oneshot') {
      for (const command of commands) {
        const end = await this.execute(unit, command);
        if (end === null) return null;
        if (end.signal !== null || (end.exitCode !== 0 && !command.startsWith('-')))
          return this.ended(unit, end, 'start');
        unit.mainCode = 1;
      }
      if (unit.active !== 'activating') return null;
      this.log(name, `Finished ${this.describe(unit)}.`);
      if (file.get('Service', 'RemainAfterExit') === 'yes' || file.get('Service', 'RemainAfterExit') === 'true')
        this.enter(unit, 'active', 'exited');
      else {
        this.enter(unit, 'inactive', 'dead');
        this.forgetTransient(unit);
      }
      return null;
    }
    const [command] = commands;
    if (command === undefined) return `Unit ${name} has no ExecStart=`;
    const process = this.spawn(unit, command);
    const watching = this.watch(unit, process, command);
    if (type === 'notify' || type === 'forking') {
      await Promise.race([process.ready, watching]);
      if (unit.process !== process) return `Job for ${name} failed because the control process exited with error code.`;
    }
    if (unit.process === process) {
      this.enter(unit, 'active', 'running');
      this.log(name, `Started ${this.describe(unit)}.`);
    }
    return null;
  }

  private async watch(unit: Unit, process: Process, command: string): Promise<void> {
    const end = await process.done;
    if (unit.process !== process || !this.kernel.alive) return;
    this.logOutput(unit, end);
    if (unit.active === 'deactivating') return;
    unit.process = null;
    const failed = end.signal !== null ? end.signal !== 'TERM' : end.exitCode !== 0 && !command.startsWith('-');
    const policy = unit.file?.get('Service', 'Restart') ?? 'no';
    if (failed) this.ended(unit, end, 'main');
    else {
      unit.mainStatus = 0;
      unit.mainCode = 1;
      this.log(unit.name, `${unit.name}: Deactivated successfully.`);
      const stays = unit.file?.get('Service', 'RemainAfterExit') === 'yes';
      this.enter(unit, stays ? 'active' : 'inactive', stays ? 'exited' : 'dead');
      this.forgetTransient(unit);
    }
    if (policy === 'always' || (policy === 'on-failure' && failed)) void this.restartLater(unit);
  }

  private async restartLater(unit: Unit): Promise<void> {
    unit.restarts += 1;
    if (unit.restarts >= START_LIMIT) {
      unit.result = 'start-limit-hit';
      this.enter(unit, 'failed', 'failed');
      this.log(unit.name, `${unit.name}: Start request repeated too quickly.`);
      return;
    }
    this.enter(unit, 'activating', 'auto-restart');
    try {
      await delay(parseTimeSpan(unit.file?.get('Service', 'RestartSec') ?? '100ms'), this.kernel.life.signal);
    } catch {
      return;
    }
    if (unit.active === 'activating' && this.phase !== 'stopping') await this.run(unit);
  }

  private ended(unit: Unit, end: ProcessEnd, step: string): string {
    unit.process = null;
    if (end.signal === null) {
      unit.result = 'exit-code';
      unit.mainStatus = end.exitCode;
      unit.mainCode = 1;
      this.log(
        unit.name,
        `${unit.name}: ${step === 'start-pre' ? 'Control' : 'Main'} process exited, code=exited, status=${end.exitCode}/${end.exitCode === 203 ? 'EXEC' : 'FAILURE'}`,
      );
    } else {
      unit.result = 'signal';
      unit.mainStatus = SIGNALS[end.signal] ?? 9;
      unit.mainCode = 2;
      this.log(unit.name, `${unit.name}: Main process exited, code=killed, status=${unit.mainStatus}/${end.signal}`);
    }
    this.log(unit.name, `${unit.name}: Failed with result '${unit.result}'.`);
    if (step !== 'main') this.log(unit.name, `Failed to start ${this.describe(unit)}.`);
    this.enter(unit, 'failed', 'failed');
    return `Job for ${unit.name} failed because the control process exited with error code.\nSee "systemctl status ${unit.name}" and "journalctl -xeu ${unit.name}" for details.`;
  }

  /** Runs one command of a unit to its end; null when the unit was stopped meanwhile. */
  private async execute(unit: Unit, command: string): Promise<ProcessEnd | null> {
    const from = Date.now();
    const process = this.spawn(unit, command);
    const end = await process.done;
    if (this.isTransient(unit)) this.kernel.machine.busyLog.note('unit', unit.name, from);
    this.logOutput(unit, end);
    if (unit.process !== process) return null;
    unit.process = null;
    return end;
  }

  private spawn(unit: Unit, command: string): Process {
    const file = unit.file;
    const environment = file === null ? {} : environmentOf(file, this.fs);
    const argv = splitCommand(command.replace(/^[-@+!:]+/, '')).flatMap((word) =>
      expandWord(word, unit.name, environment, this.kernel),
    );
    const [program = ''] = argv;
    const user = file?.get('Service', 'User');
    const missing = program.startsWith('/') && this.fs.entry(program) === undefined;
    const process = this.kernel.spawn({
      command: missing
        ? [
            'sh',
            '-c',
            'echo "$1: Failed to locate executable: No such file or directory" >&2; exit 203',
            'systemd',
            program,
          ]
        : argv,
      uid: user === undefined || user === 'root' ? 0 : 1000,
      env: { ...environment, INVOCATION_ID: `${unit.name}-${unit.invocation}` },
      cwd: file?.get('Service', 'WorkingDirectory') ?? '/',
      unit: unit.name,
    });
    unit.process = process;
    return process;
  }

  private startTimer(unit: Unit): string | null {
    const { file } = unit;
    if (file === null) return null;
    const service = file.get('Timer', 'Unit') ?? unit.name.replace(/\.timer$/, '.service');
    this.enter(unit, 'active', 'waiting');
    const waits = [
      ...file.all('Timer', 'OnBootSec').map((span) => parseTimeSpan(span) - this.kernel.uptimeSeconds * 1000),
      ...file.all('Timer', 'OnActiveSec').map(parseTimeSpan),
    ];
    for (const wait of waits) {
      const cancel = new AbortController();
      this.timers.set(unit.name, cancel);
      delay(Math.max(0, wait), AbortSignal.any([cancel.signal, this.kernel.life.signal])).then(
        () => this.start(service),
        () => {},
      );
    }
    return null;
  }

  private forgetTransient(unit: Unit): void {
    if (!this.isTransient(unit) || unit.file === null) return;
    const { path } = unit.file;
    this.units.delete(unit.name);
    void this.fs.rm(path, { force: true });
  }

  private enter(unit: Unit, active: ActiveState, sub: string): void {
    unit.active = active;
    unit.sub = sub;
    if (active === 'active') unit.activeSince = Date.now();
    if (unit.load === 'loaded') this.units.set(unit.name, unit);
    this.kernel.machine.changed();
  }

  describe(unit: Unit): string {
    const description = unit.file?.get('Unit', 'Description');
    return description === undefined ? unit.name : `${unit.name} - ${description}`;
  }

  log(unit: string, text: string): void {
    if (!this.kernel.alive) return;
    this.kernel.machine.journal.add({
      bootId: this.kernel.parameters.bootId,
      at: Date.now(),
      identifier: 'systemd',
      unit,
      text,
    });
    this.kernel.machine.print(text);
  }

  private logOutput(unit: Unit, end: ProcessEnd): void {
    for (const text of [...end.stdout.split('\n'), ...end.stderr.split('\n')].filter((line) => line !== '')) {
      this.kernel.machine.journal.add({
        bootId: this.kernel.parameters.bootId,
        at: Date.now(),
        identifier: unit.name.replace(/\.service$/, ''),
        unit: unit.name,
        text,
      });
    }
  }
}
