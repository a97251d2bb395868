/**
 * A process of a simulated host: a command line run by the shell interpreter as a user. It ends by itself, by a signal, or with its
 * boot. It does not end with the SSH connection that started it, as under a real sshd without a terminal.
 * @module
 */
import { Bash, decodeBytesToUtf8, latin1FromBytes, type Command, type CommandContext } from 'just-bash';
import type { FileSystem } from '../disk/file-system.js';
import type { Kernel } from '../machine/kernel.js';
import { quoteAll, rewriteScript, syntaxError } from './rewrite.js';
import type { Call, ChildOptions, Output, Program, ProgramResult, Programs } from './program.js';

export interface ProcessSpec {
  /** What to run, or a shell command line. */
  readonly command: readonly string[] | string;
  readonly uid: number;
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly unit?: string;
}

export interface ProcessEnd extends Output {
  /** The signal that ended it, without SIG; null for an exit. */
  readonly signal: string | null;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin';
const USER_NAMES: Readonly<Record<number, string>> = { 0: 'root', 1000: 'ubuntu' };

/** Far above what any script here needs; just-bash's own are meant for hostile input. */
const LIMITS = {
  maxCommandCount: 10_000_000,
  maxLoopIterations: 10_000_000,
  maxWorkUnits: 1_000_000_000,
  maxExecutionTimeMs: 24 * 3_600_000,
  maxExtensionCleanupTimeMs: 1,
};

/** Programs that just-bash has and that stand for themselves; the rest of its set (jq, sqlite3, rg…) isn't on a fresh Ubuntu. */
export const INTERPRETER_PROGRAMS = [
  'echo',
  'cat',
  'printf',
  'ls',
  'mkdir',
  'rmdir',
  'touch',
  'rm',
  'chmod',
  'pwd',
  'readlink',
  'head',
  'tail',
  'wc',
  'grep',
  'fgrep',
  'egrep',
  'sed',
  'awk',
  'sort',
  'uniq',
  'comm',
  'cut',
  'paste',
  'tr',
  'rev',
  'nl',
  'fold',
  'expand',
  'unexpand',
  'strings',
  'split',
  'column',
  'join',
  'tee',
  'find',
  'basename',
  'dirname',
  'du',
  'env',
  'printenv',
  'xargs',
  'true',
  'false',
  'clear',
  'bash',
  'sh',
  'base64',
  'diff',
  'date',
  'timeout',
  'seq',
  'expr',
  'md5sum',
  'sha1sum',
  'sha256sum',
  'file',
  'which',
  'tac',
  'od',
  'gzip',
  'gunzip',
  'zcat',
  'tar',
  'whoami',
  'cp',
  'mv',
  'ln',
  'stat',
  'sleep',
  'hostname',
] as const;

export class Process {
  readonly startedAt = Date.now();
  readonly abort = new AbortController();
  readonly done: Promise<ProcessEnd>;
  /** Resolves when a daemon says that it is up (sd_notify). */
  readonly ready: Promise<void>;
  /** sd_notify. */
  markReady: () => void = () => {};
  readonly fs: FileSystem;
  private signalName: string | null = null;

  constructor(
    readonly kernel: Kernel,
    readonly pid: number,
    readonly spec: ProcessSpec,
    private readonly programs: Programs,
  ) {
    this.fs = kernel.fileSystem(spec.uid);
    this.ready = new Promise((resolve) => {
      this.markReady = resolve;
    });
    this.done = this.main();
  }

  get commandLine(): string {
    return typeof this.spec.command === 'string' ? this.spec.command : this.spec.command.join(' ');
  }

  kill(signal: string): void {
    this.signalName ??= signal;
    this.abort.abort(new Error(`SIG${signal}`));
  }

  private async main(): Promise<ProcessEnd> {
    const { command, uid, stdin, env, cwd } = this.spec;
    try {
      const text = typeof command === 'string' ? command : quoteAll(command);
      const killed = new Promise<never>((_resolve, reject) => {
        this.abort.signal.addEventListener('abort', () => reject(this.abort.signal.reason as Error), { once: true });
      });
      killed.catch(() => {});
      // The interpreter stops at its next statement; whoever waits for the process needs not wait for that.
      const output = await Promise.race([this.shell(text, uid, stdin ?? new Uint8Array(), env ?? {}, cwd), killed]);
      return { ...output, signal: this.signalName };
    } catch (error) {
      if (this.abort.signal.aborted) return { stdout: '', stderr: '', exitCode: 0, signal: this.signalName ?? 'KILL' };
      return {
        stdout: '',
        stderr: `${error instanceof Error ? error.message : String(error)}\n`,
        exitCode: 2,
        signal: null,
      };
    } finally {
      this.kernel.processEnded(this);
    }
  }

  /** Runs a command line in a new shell of this process. */
  private async shell(
    text: string,
    uid: number,
    stdin: Uint8Array,
    env: Readonly<Record<string, string>>,
    cwd?: string,
  ): Promise<Output> {
    const fs = uid === this.spec.uid ? this.fs : this.kernel.fileSystem(uid);
    const user = USER_NAMES[uid] ?? String(uid);
    const home = uid === 0 ? '/root' : `/home/${user}`;
    const bash = new Bash({
      fs,
      cwd: cwd ?? (fs.entry(home) === undefined ? '/' : home),
      env: { PATH, HOME: home, USER: user, LOGNAME: user, SHELL: '/bin/bash', LANG: 'C.UTF-8', ...env },
      executionLimits: LIMITS,
      defenseInDepth: false,
      commands: [...INTERPRETER_PROGRAMS],
      customCommands: this.commands(fs, uid),
      processInfo: { pid: this.pid, ppid: 1, uid, gid: uid },
    });
    let script: string;
    try {
      script = rewriteScript(text, (name) => this.isProgram(name));
    } catch (error) {
      return { stdout: '', stderr: `sh: ${error instanceof Error ? error.message : String(error)}\n`, exitCode: 2 };
    }
    const result = await bash.exec(script, {
      rawScript: true,
      stdin: Buffer.from(stdin).toString('latin1'),
      stdinKind: 'bytes',
      signal: this.abort.signal,
    });
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
  }

  private isProgram(name: string): boolean {
    return (
      (Object.hasOwn(this.programs, name) && !name.startsWith('lab:')) ||
      (INTERPRETER_PROGRAMS as readonly string[]).includes(name)
    );
  }

  private commands(fs: FileSystem, uid: number): Command[] {
    const own: Programs = {
      ...this.programs,
      sh: runShell(this.isProgram.bind(this)),
      bash: runShell(this.isProgram.bind(this)),
    };
    const registered = Object.entries({ ...own, execve: this.execve.bind(this) }).filter(
      ([name]) => !name.startsWith('lab:'),
    );
    return registered.map(([name, program]) => ({
      name,
      execute: async (args, ctx) => {
        const call = this.call(name, args, ctx, fs, uid);
        return asResult(await this.kernel.intercept(call, program));
      },
    }));
  }

  /** Runs what a path or a name in PATH stands for: a script, or a binary that names its program. */
  private async execve(call: Call): Promise<ProgramResult> {
    const [name = '', ...args] = call.args;
    if (this.isProgram(name)) return call.run([name, ...args]);
    const path = name.includes('/') ? call.path(name) : this.lookUp(name, call);
    if (path === null) return { exitCode: 127, stderr: `sh: 1: ${name}: not found\n` };
    const entry = call.fs.entry(path);
    if (entry === undefined) return { exitCode: 127, stderr: `sh: 1: ${name}: not found\n` };
    if (entry.kind !== 'file' || (entry.mode & 0o111) === 0)
      return { exitCode: 126, stderr: `sh: 1: ${name}: Permission denied\n` };
    const text = call.fs.text(path) ?? '';
    const binary = /^\x7fELF (\S+)/.exec(text);
    if (binary !== null) {
      const program = binary[1] ?? '';
      const own = this.programs[program];
      if (own !== undefined && program.startsWith('lab:'))
        return this.kernel.intercept({ ...call, name: path.slice(path.lastIndexOf('/') + 1), args }, own);
      return this.isProgram(program)
        ? call.run([program, ...args])
        : { exitCode: 126, stderr: `sh: 1: ${name}: Exec format error\n` };
    }
    if (text.startsWith('\x7f')) return { exitCode: 126, stderr: `sh: 1: ${name}: Exec format error\n` };
    return call.run(['sh', path, ...args]);
  }

  private lookUp(name: string, call: Call): string | null {
    for (const directory of (call.env.get('PATH') ?? PATH).split(':')) {
      const path = `${directory}/${name}`;
      const entry = call.fs.entry(path);
      if (entry?.kind === 'file' && (entry.mode & 0o111) !== 0) return path;
    }
    return null;
  }

  private call(name: string, args: readonly string[], ctx: CommandContext, fs: FileSystem, uid: number): Call {
    const stdinBytes = (): Uint8Array => new Uint8Array(Buffer.from(latin1FromBytes(ctx.stdin), 'latin1'));
    return {
      name,
      args,
      kernel: this.kernel,
      process: this,
      fs,
      cwd: ctx.cwd,
      env: ctx.env,
      signal: ctx.signal ?? this.abort.signal,
      stdin: () => decodeBytesToUtf8(ctx.stdin),
      stdinBytes,
      path: (path) => fs.resolvePath(ctx.cwd, path),
      original: (argv) => {
        if (ctx.origCommand === undefined) throw new Error(`just-bash has no ${name} of its own`);
        return ctx.origCommand([...argv]);
      },
      run: async (argv, options: ChildOptions = {}) => {
        const stdin =
          options.stdin === undefined
            ? stdinBytes()
            : typeof options.stdin === 'string'
              ? Buffer.from(options.stdin)
              : options.stdin;
        const env = { ...ctx.exportedEnv, ...options.env };
        if (options.uid !== undefined && options.uid !== uid) {
          return this.shell(quoteAll(argv), options.uid, stdin, options.env ?? {}, options.cwd ?? ctx.cwd);
        }
        const text = this.isProgram(argv[0] ?? '') ? quoteAll(argv) : `execve ${quoteAll(argv)}`;
        if (ctx.exec === undefined) throw new Error('just-bash gave no way to run a child');
        return ctx.exec(text, {
          cwd: options.cwd ?? ctx.cwd,
          env,
          stdin: Buffer.from(stdin).toString('latin1'),
          stdinKind: 'bytes',
          signal: ctx.signal ?? this.abort.signal,
        });
      },
    };
  }
}

/** `sh [-eux] -c SCRIPT [NAME ARG…]`, `sh [-eux] FILE ARG…`, `sh -n FILE`, `sh < SCRIPT`. */
function runShell(isProgram: (name: string) => boolean): Program {
  return async (call) => {
    const args = [...call.args];
    let options = '';
    let inline = false;
    while (args[0]?.startsWith('-') === true && args[0].length > 1) {
      const flags = (args.shift() ?? '').slice(1);
      if (flags === '-') break;
      for (const flag of flags) {
        if (flag === 'c') inline = true;
        else if ('euxn'.includes(flag)) options += flag;
        else if (flag === 'o') args.shift();
        else if (flag !== 's' && flag !== 'l' && flag !== 'i')
          return { exitCode: 2, stderr: `sh: 0: Illegal option -${flag}\n` };
      }
    }
    let text: string;
    let name = 'sh';
    if (inline) {
      text = args.shift() ?? '';
      name = args.shift() ?? 'sh';
    } else if (args.length > 0) {
      name = args.shift() ?? '';
      const content = call.fs.text(call.path(name));
      if (content === null) return { exitCode: 127, stderr: `sh: 0: cannot open ${name}: No such file\n` };
      text = content;
    } else {
      text = call.stdin();
    }
    if (options.includes('n')) {
      const error = syntaxError(text);
      return error === null ? '' : { exitCode: 2, stderr: `${name}: ${error}\n` };
    }
    const setting = options.replaceAll('n', '');
    try {
      const script = rewriteScript(setting === '' ? text : `set -${setting}\n${text}`, isProgram);
      return await call.original(['-c', script, name, ...args]);
    } catch (error) {
      return { exitCode: 2, stderr: `${name}: ${error instanceof Error ? error.message : String(error)}\n` };
    }
  };
}

function asResult(result: ProgramResult): {
  stdout: string;
  stderr: string;
  exitCode: number;
  stdoutKind: 'text' | 'bytes';
} {
  if (typeof result === 'string') return { stdout: result, stderr: '', exitCode: 0, stdoutKind: 'text' };
  const { stdout = '', stderr = '', exitCode = 0 } = result;
  return typeof stdout === 'string'
    ? { stdout, stderr, exitCode, stdoutKind: 'text' }
    : { stdout: Buffer.from(stdout).toString('latin1'), stderr, exitCode, stdoutKind: 'bytes' };
}
