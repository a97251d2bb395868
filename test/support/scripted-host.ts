/**
 * A Host whose answers are written down in the test. A command that nobody wrote an answer for fails the test.
 * @module
 */
import type { StepContext } from '../../src/activities/define-step.js';
import { Evidence } from '../../src/activities/evidence.js';
import { RemoteHost } from '../../src/activities/host/remote-host.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import type { Bmc } from '../../src/ports/bmc.js';
import { ProvisionError } from '../../src/ports/failure.js';
import type { ExecResult, Host } from '../../src/ports/host.js';
import { serverSpec } from './server-spec.js';

/** Text is standard output with exit code 0; a number is an exit code. */
export type Answer =
  string | number | { readonly exitCode: number; readonly stdout?: string; readonly stderr?: string };

export interface Rule {
  /** The whole frozen script, or the command line, or what matches it. */
  readonly when: string | RegExp;
  readonly answer: Answer | ((argv: readonly string[], stdin: string) => Answer);
}

export class ScriptedHost implements Host {
  /** What was run, without frozen scripts' text. */
  readonly commands: string[] = [];

  constructor(private readonly rules: readonly Rule[]) {}

  async exec(argv: readonly string[], options: { readonly stdin?: string | Uint8Array } = {}): Promise<ExecResult> {
    const script = argv[0] === 'sh' && argv[1] === '-c' ? argv[2] : undefined;
    const line = argv.join(' ');
    this.commands.push(script === undefined ? line : ['script', ...argv.slice(4)].join(' '));
    const rule = this.rules.find(({ when }) =>
      typeof when === 'string' ? when === script || when === line : when.test(line),
    );
    if (rule === undefined) throw new Error(`no answer for: ${line}`);
    const stdin = typeof options.stdin === 'string' ? options.stdin : '';
    const answer = typeof rule.answer === 'function' ? rule.answer(argv, stdin) : rule.answer;
    const full =
      typeof answer === 'string'
        ? { exitCode: 0, stdout: answer }
        : typeof answer === 'number'
          ? { exitCode: answer }
          : answer;
    return { signal: null, stdout: '', stderr: '', truncated: false, ...full };
  }

  execFresh(argv: readonly string[]): Promise<ExecResult> {
    return this.exec(argv);
  }

  openStream(): Promise<never> {
    return Promise.reject(new Error('no stream in this test'));
  }
}

/** Rules for a file: `null` does not exist. */
export function fileRules(files: Readonly<Record<string, string | null>>): readonly Rule[] {
  return Object.entries(files).flatMap(([path, content]) => [
    { when: `cat ${path}`, answer: content ?? 1 },
    { when: `test -e ${path}`, answer: content === null ? 1 : 0 },
  ]);
}

export function stepContext(
  host: Host,
  change: { readonly spec?: ServerSpec; readonly bmc?: Bmc | null } = {},
): StepContext {
  const run = { id: 'run-now', epoch: 1 };
  const { signal } = new AbortController();
  const heartbeat = (): void => {};
  const warn = (): void => {};
  const refuse = (): never => {
    throw new ProvisionError('ClusterUnreachable', 'no cluster in this test');
  };
  return {
    spec: change.spec ?? serverSpec(),
    run,
    host: new RemoteHost(host, run, signal, heartbeat),
    bmc: change.bmc ?? null,
    clusters: { host: refuse, nested: refuse, close: async () => {} },
    secrets: { read: () => Promise.reject(new Error('no secret in this test')) },
    evidence: new Evidence(null, signal),
    signal,
    heartbeat,
    warn,
  };
}
