/**
 * What steps do on a host: reads, and changes that are fenced, saved in the ledger first and read back afterwards.
 * @module
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { FENCE_FILE, LEDGER_DIR, LOCK_FILE, STATE_DIR, unitName } from '../../domain/host-layout.js';
import { parseBootReading, type BootReading } from '../../domain/boot/reboot.js';
import { parseFactLines, type FactLines } from '../../domain/preflight/fact-lines.js';
import { OUTPUT_LINES, type HeartbeatNote } from '../../domain/run/host-output.js';
import type { RunRef } from '../../domain/run/steps.js';
import { ProvisionError } from '../../ports/failure.js';
import { inSpan, quietly } from '../../tracing/span.js';
import { EVIDENCE_BYTES } from '../evidence.js';
import { commandName } from './command-name.js';
import type { ExecOptions, ExecResult, Host } from '../../ports/host.js';
import {
  CLAIM,
  FENCED,
  HASH_FILES,
  LIST_LEDGER,
  RELEASE,
  REMOVE_FILE,
  RESTORE_ORIGINAL,
  SAVE_ORIGINAL,
  WRITE_FILE,
} from './scripts.js';

/** Limit for commands that answer at once on a healthy host; long enough for a loaded one. */
const COMMAND_TIMEOUT_MS = 60_000;
/** How long to queue for the lock on the host; a change holds it for seconds. */
const LOCK_WAIT_SECONDS = 45;
/** Pause between two looks at a running unit. */
const UNIT_POLL_MS = 1_000;

/** The unit is looked at once a second; a journal of many gigabytes is not worth the wait. */
const LAST_LINES_TIMEOUT_MS = 5_000;
const LAST_LINES_BYTES = 64 * 1024;

/** Transient units of whichever run. The dead-man and the timer of a reboot are never in the states that are waited for. */
const EVERY_UNIT = 'gpu-provision-*.service';

const EXIT_FENCED = 75;
const EXIT_LOCK_BUSY = 76;
const EXIT_NO_ENTRY = 44;

export interface RunOptions extends Partial<ExecOptions> {}

export interface FileContent {
  readonly path: string;
  readonly content: string;
  /** Octal, e.g. `644`. */
  readonly mode: string;
}

/** One original as the ledger keeps it, and what is at its path now. Hashes are SHA-256 in hex, null when absent. */
export interface LedgerEntry {
  readonly path: string;
  readonly run: string;
  readonly step: string;
  readonly original: { readonly sha256: string; readonly stat: string } | null;
  readonly current: { readonly sha256: string; readonly stat: string } | null;
}

export interface UnitResult {
  readonly unit: string;
  readonly exitCode: number;
  /** Last lines of its journal. */
  readonly log: string;
}

export const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

const ledgerKey = (path: string): string => path.replaceAll('%', '%25').replaceAll('/', '%2f');

export class RemoteHost {
  constructor(
    private readonly host: Host,
    private readonly run: RunRef,
    private readonly signal: AbortSignal,
    private readonly heartbeat: (note: HeartbeatNote) => void,
  ) {}

  /** Runs a command as root; any exit code is returned. */
  async exec(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
    const usual = { name: commandName(argv), timeoutMs: COMMAND_TIMEOUT_MS, signal: this.signal };
    return this.host.exec(argv, { ...usual, ...options });
  }

  /** Runs a command that must succeed; its standard output. */
  async must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return succeeded(argv, await this.exec(argv, options)).stdout;
  }

  /** Runs a frozen script with arguments; it must succeed. */
  async script(script: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    return this.must(['sh', '-c', script, 'gpu-provision', ...args], options);
  }

  /** What a fact script prints. Throws OutputUnexpected when it has no end. */
  async facts(...script: Parameters<RemoteHost['script']>): Promise<FactLines> {
    const parsed = parseFactLines(await this.script(...script));
    if (!parsed.ok) throw new ProvisionError('OutputUnexpected', parsed.problem);
    return parsed.value;
  }

  /** A file's text, or null when there is none. */
  async readFile(path: string): Promise<string | null> {
    const result = await this.exec(['cat', path]);
    if (result.exitCode === 0) {
      if (result.truncated) throw new ProvisionError('OutputUnexpected', `${path} is larger than 1 MiB`);
      return result.stdout;
    }
    if ((await this.exec(['test', '-e', path])).exitCode !== 0) return null;
    throw failed(['cat', path], result);
  }

  async exists(path: string): Promise<boolean> {
    return (await this.exec(['test', '-e', path])).exitCode === 0;
  }

  /** SHA-256 of each path, null for what does not exist. */
  async hashFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    const out = await this.script(HASH_FILES, paths);
    const hashes = new Map<string, string | null>();
    for (const line of out.split('\n')) {
      const [hash, path] = line.split('\t');
      if (hash !== undefined && path !== undefined) hashes.set(path, hash === '-' ? null : hash);
    }
    return hashes;
  }

  /** Boot id, uptime and kernel command line of the running boot. */
  async bootReading(): Promise<BootReading> {
    const out = await this.must(['cat', '/proc/sys/kernel/random/boot_id', '/proc/uptime', '/proc/cmdline']);
    const reading = parseBootReading(out);
    if (reading === null)
      throw new ProvisionError('OutputUnexpected', 'boot id, uptime or command line is garbled', {
        out: out.slice(0, 300),
      });
    return reading;
  }

  /** Runs a changing command: only while this run and epoch own the host. It must succeed. */
  async change(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.tryChange(argv, options);
    return succeeded(argv, result).stdout;
  }

  /** The same, any exit code but the fence's. */
  async tryChange(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
    const fenced = ['sh', '-c', FENCED, 'gpu-provision', FENCE_FILE, this.run.id, String(this.run.epoch), ...argv];
    const result = await this.alone(fenced, options);
    if (result.exitCode === EXIT_FENCED) throw new ProvisionError('Fenced', result.stderr.trim());
    return result;
  }

  /**
   * Runs a command under the lock of the host, or another one; any exit code. A command whose link or activity is gone lives on and
   * keeps the lock to its end: whoever needs it tries again, since what comes next must not begin before.
   */
  async alone(argv: readonly string[], options: RunOptions = {}, lock = LOCK_FILE): Promise<ExecResult> {
    const result = await this.exec(
      ['flock', '-w', String(LOCK_WAIT_SECONDS), '-E', String(EXIT_LOCK_BUSY), lock, ...argv],
      options,
    );
    if (result.exitCode === EXIT_LOCK_BUSY) throw new ProvisionError('CommandTimeout', `the lock ${lock} is busy`);
    return result;
  }

  /** A frozen script under a lock of its own; it must succeed. For reads that must not meet themselves. */
  async scriptAlone(lock: string, script: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const argv = ['sh', '-c', script, 'gpu-provision', ...args];
    return succeeded(argv, await this.alone(argv, options, lock)).stdout;
  }

  /** Runs a frozen script that changes the host. */
  async changeScript(script: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    return this.change(['sh', '-c', script, 'gpu-provision', ...args], options);
  }

  /** Saves the original, writes, reads back. False when content, mode and owner were right already. */
  async writeFile(file: FileContent, step: string): Promise<boolean> {
    if (await this.fileIs(file)) return false;
    await this.saveOriginal(file.path, step);
    const want = sha256(file.content);
    await this.changeScript(WRITE_FILE, [file.path, file.mode, want], { stdin: file.content });
    if (!(await this.fileIs(file)))
      throw new ProvisionError('StepNotVerified', `${file.path} does not read back as written`);
    return true;
  }

  /** Whether a file has this content and mode and belongs to root. */
  async fileIs(file: FileContent): Promise<boolean> {
    const hash = (await this.hashFiles([file.path])).get(file.path);
    if (hash !== sha256(file.content)) return false;
    const stat = await this.must(['stat', '-c', '%a %u:%g', file.path]);
    return stat.trim() === `${file.mode} 0:0`;
  }

  /** Saves the original of a path in the ledger, unless it is there already. */
  async saveOriginal(path: string, step: string): Promise<void> {
    await this.changeScript(SAVE_ORIGINAL, [LEDGER_DIR, ledgerKey(path), path, this.run.id, step]);
  }

  async removeFile(path: string, step: string): Promise<void> {
    await this.saveOriginal(path, step);
    await this.changeScript(REMOVE_FILE, [path]);
    if (await this.exists(path))
      throw new ProvisionError('StepNotVerified', `${path} is still there after its removal`);
  }

  /** Puts the original back and reads it back. False when the ledger does not own the path: then it is left alone. */
  async restoreOriginal(path: string): Promise<boolean> {
    const argv = ['sh', '-c', RESTORE_ORIGINAL, 'gpu-provision', LEDGER_DIR, ledgerKey(path)];
    const result = await this.tryChange(argv);
    if (result.exitCode === EXIT_NO_ENTRY) return false;
    succeeded(argv, result);
    return true;
  }

  /** Every original in the ledger, beside what is there now. */
  async ledger(): Promise<readonly LedgerEntry[]> {
    const out = await this.script(LIST_LEDGER, [LEDGER_DIR]);
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map(parseLedgerLine);
  }

  /** Takes the host for this run, or raises the run's epoch. `lostRun` is the one run that may hold it: its history is gone. */
  async claim(lostRun: string | null = null): Promise<void> {
    await this.must(['mkdir', '-p', STATE_DIR]);
    const result = await this.alone([
      'sh',
      '-c',
      CLAIM,
      'gpu-provision',
      FENCE_FILE,
      this.run.id,
      String(this.run.epoch),
      ...(lostRun === null ? [] : [lostRun]),
    ]);
    if (result.exitCode === EXIT_FENCED) throw new ProvisionError('HostLocked', result.stderr.trim());
    succeeded(['claim'], result);
  }

  /** The run that holds the host, or null. */
  async holder(): Promise<string | null> {
    const [run = ''] = ((await this.readFile(FENCE_FILE)) ?? '').trim().split(' ');
    return run === '' ? null : run;
  }

  /** Gives the host back. */
  async release(): Promise<void> {
    const argv = ['sh', '-c', RELEASE, 'gpu-provision', FENCE_FILE, this.run.id];
    succeeded(argv, await this.alone(argv));
  }

  /**
   * Runs a long command as a transient systemd unit and waits for it. A lost link or a killed worker does not stop the unit;
   * the next attempt finds it by its name and reads its result instead of starting it again.
   */
  async runUnit(
    step: string,
    argv: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<UnitResult> {
    const unit = unitName(this.run.id, step);
    const known = { 'gpu_provision.unit': unit, 'process.executable.name': commandName(argv) };
    return inSpan(`unit ${commandName(argv)}`, known, async (note) => {
      const result = await this.awaitUnit(unit, argv, environment);
      note({ 'process.exit.code': result.exitCode });
      return result;
    });
  }

  private async awaitUnit(
    unit: string,
    argv: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<UnitResult> {
    const command = commandName(argv);
    let state = await this.unitState(unit);
    if (state.active === 'failed') {
      await this.change(['systemctl', 'reset-failed', unit]);
      state = await this.unitState(unit);
    }
    if (!state.loaded) {
      const env = Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`);
      await this.change([
        'systemd-run',
        `--unit=${unit}`,
        '--quiet',
        '--property=Type=oneshot',
        '--property=RemainAfterExit=yes',
        '--no-block',
        ...env,
        '--',
        ...argv,
      ]);
      state = await this.unitState(unit);
    }
    // `inactive` and loaded is a start that still queues in systemd (`--no-block`); a transient unit that is over is not loaded.
    while (state.loaded && state.active !== 'active' && state.active !== 'failed') {
      const lines = await quietly(() => this.lastLines(unit));
      this.heartbeat(lines.length === 0 ? `${unit} ${state.active}` : { kind: 'host-output', command, lines });
      await delay(UNIT_POLL_MS, undefined, { signal: this.signal });
      state = await quietly(() => this.unitState(unit));
    }
    this.heartbeat(`${unit} is over`);
    if (!state.loaded) throw new ProvisionError('LinkLost', `${unit} is gone without a result: the host restarted`);
    const log = (await this.exec(['journalctl', '-u', unit, '-o', 'cat', '--no-pager', '-n', '100'])).stdout;
    return { unit, exitCode: state.exitCode, log };
  }

  /** What a unit says just now, for people who watch. It stands in nobody's way: a journal that can't be read in time says nothing. */
  private async lastLines(unit: string): Promise<readonly string[]> {
    const argv = ['journalctl', '-u', unit, '-o', 'cat', '--no-pager', '--quiet', '-n', String(OUTPUT_LINES)];
    const limits = { timeoutMs: LAST_LINES_TIMEOUT_MS, maxOutputBytes: LAST_LINES_BYTES };
    try {
      const { exitCode, stdout, truncated } = await this.exec(argv, limits);
      // What was cut off is the newest.
      return exitCode === 0 && !truncated ? stdout.split('\n').filter((line) => line !== '') : [];
    } catch (error) {
      if (error instanceof ProvisionError) return [];
      throw error;
    }
  }

  /** All that a unit of this run has said, also when it is over. */
  async unitLog(step: string): Promise<string> {
    const unit = unitName(this.run.id, step);
    return this.must(['journalctl', '-u', unit, '-o', 'cat', '--no-pager'], { maxOutputBytes: EVIDENCE_BYTES });
  }

  /** The same; it must succeed. The unit is cleared away, so that a later need for the same step runs it anew. */
  async mustUnit(
    step: string,
    argv: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<UnitResult> {
    const result = await this.runUnit(step, argv, environment);
    await this.tryChange(['systemctl', result.exitCode === 0 ? 'stop' : 'reset-failed', result.unit]);
    if (result.exitCode !== 0) {
      throw new ProvisionError(
        'CommandFailed',
        `${argv.join(' ')} exited with ${result.exitCode}: ${tail(result.log)}`,
        { unit: result.unit },
      );
    }
    return result;
  }

  /**
   * Waits until no unit of any run, or of those of a pattern, is at work: one run owns the host. Nothing is killed: a half-done apt or
   * update-initramfs is worse than a wait.
   */
  async drainUnits(pattern = EVERY_UNIT): Promise<void> {
    for (;;) {
      const out = await this.must([
        'systemctl',
        'list-units',
        pattern,
        '--state=activating,deactivating,reloading',
        '--plain',
        '--no-legend',
      ]);
      if (out.trim() === '') return;
      this.heartbeat(`draining ${out.trim().split('\n').length} units`);
      await delay(UNIT_POLL_MS, undefined, { signal: this.signal });
    }
  }

  private async unitState(unit: string): Promise<{ loaded: boolean; active: string; exitCode: number }> {
    const out = await this.must(['systemctl', 'show', unit, '--property=LoadState,ActiveState,Result,ExecMainStatus']);
    const fields = new Map(
      out.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const status = Number(fields.get('ExecMainStatus') ?? 0);
    return {
      loaded: fields.get('LoadState') === 'loaded',
      active: fields.get('ActiveState') ?? 'unknown',
      // A unit killed by a signal has a status of 0 to 64 that is a signal number; its Result says so.
      exitCode: status === 0 && fields.get('Result') !== 'success' ? 1 : status,
    };
  }
}

function succeeded(argv: readonly string[], result: ExecResult): ExecResult {
  if (result.exitCode !== 0) throw failed(argv, result);
  return result;
}

function failed(argv: readonly string[], result: ExecResult): ProvisionError {
  const how =
    result.exitCode === null ? `was ended by ${result.signal ?? 'a signal'}` : `exited with ${result.exitCode}`;
  const shown = argv[0] === 'sh' && argv[1] === '-c' ? ['script', ...argv.slice(4)] : argv;
  return new ProvisionError(
    'CommandFailed',
    `${shown.join(' ').slice(0, 300)} ${how}: ${tail(result.stderr || result.stdout)}`,
  );
}

function tail(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ').slice(-600);
}

function parseLedgerLine(line: string): LedgerEntry {
  const [was, hashThen, statThen, path, run, step, hashNow, statNow] = line.split('\t');
  // Anything else would be taken for a file that was absent, and undo removes those.
  const known = was === 'existed' || was === 'absent';
  if (
    !known ||
    path === undefined ||
    run === undefined ||
    step === undefined ||
    hashNow === undefined ||
    statNow === undefined
  ) {
    throw new ProvisionError('OutputUnexpected', `a ledger entry is garbled: ${line.slice(0, 200)}`);
  }
  return {
    path,
    run,
    step,
    original: was === 'existed' ? { sha256: hashThen ?? '', stat: statThen ?? '' } : null,
    current: hashNow === '-' ? null : { sha256: hashNow, stat: statNow },
  };
}
