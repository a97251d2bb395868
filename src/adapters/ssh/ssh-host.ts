/**
 * A server over SSH: shared connection for the work, fresh ones for probing.
 * @module
 */
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import type { ServerLogin } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import { inSpan } from '../../tracing/span.js';
import type { ExecOptions, ExecResult, Host } from '../../ports/host.js';
import type { SecretSource } from '../../ports/secrets.js';
import { disconnect } from './client.js';
import { NotStarted, runCommand, type Command } from './command.js';
import { connect, placeOf } from './connect.js';
import { forward } from './forward.js';
import type { SshLimits } from './limits.js';
import { countdown, patiently, type Patience } from './patience.js';
import { commandLine } from './quote.js';
import { SessionGate } from './session-gate.js';
import { SharedConnection } from './shared-connection.js';
import { sudoRefusal } from './sudo.js';

export class SshHost implements Host {
  private readonly where: string;
  private readonly shared: SharedConnection;
  private readonly gate: SessionGate;

  constructor(
    private readonly spec: ServerLogin,
    private readonly secrets: SecretSource,
    private readonly limits: SshLimits,
  ) {
    this.where = placeOf(spec);
    this.shared = new SharedConnection(() => connect(spec, { secrets, limits }));
    this.gate = new SessionGate(limits.sessionsPerConnection);
  }

  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return this.traced(argv, options, () => this.execShared(argv, options));
  }

  execFresh(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return this.traced(argv, options, () => this.execAlone(argv, options));
  }

  openStream(host: string, port: number): Promise<Duplex> {
    return inSpan('ssh forward', { 'server.address': host, 'server.port': port }, () => this.forwarded(host, port));
  }

  close(): void {
    this.shared.close();
  }

  /** Arguments stay out of it: scripts, paths, and what a person would not want to see repeated. */
  private traced(argv: readonly string[], options: ExecOptions, run: () => Promise<ExecResult>): Promise<ExecResult> {
    const { host, port } = this.spec.ssh;
    const program = options.name ?? argv[0] ?? '';
    const known = { 'server.address': host, 'server.port': port, 'process.executable.name': program };
    return inSpan(`ssh ${program}`, known, async (note) => {
      const result = await run();
      note({
        'process.exit.code': result.exitCode,
        'gpu_provision.stdout.size': Buffer.byteLength(result.stdout),
        'gpu_provision.stderr.size': Buffer.byteLength(result.stderr),
      });
      return result;
    });
  }

  private async execShared(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    const command = this.command(argv, options);
    const left = countdown(options.timeoutMs);
    const inLine = this.patience(options, left(), 'CommandTimeout', 'no free SSH session');
    return this.gate.through(inLine, async () => {
      const run = (): Promise<ExecResult> => this.runShared(command, options, left);
      // Only a command that never began is given to a second connection.
      const result = await run().catch((error: unknown) => {
        if (error instanceof NotStarted) return run();
        throw error;
      });
      return this.accept(command, options, result);
    });
  }

  private async execAlone(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const command = this.command(argv, options);
    const left = countdown(options.timeoutMs);
    const connectTimeoutMs = Math.min(this.limits.connectTimeoutMs, options.timeoutMs);
    const client = await connect(this.spec, {
      secrets: this.secrets,
      limits: { ...this.limits, connectTimeoutMs },
      signal: options.signal,
    });
    try {
      return this.accept(command, options, await runCommand(client, command, { ...options, timeoutMs: left() }));
    } finally {
      disconnect(client);
    }
  }

  private async forwarded(host: string, port: number): Promise<Duplex> {
    const client = await this.sharedClient({}, this.limits.connectTimeoutMs);
    const done = this.shared.use(client);
    try {
      const stream = await forward(client, { where: this.where, host, port, timeoutMs: this.limits.connectTimeoutMs });
      stream.once('close', done);
      return stream;
    } catch (error) {
      done();
      throw error;
    }
  }

  private command(argv: readonly string[], options: ExecOptions): Command {
    const line = commandLine(argv, { sudo: this.usesSudo(options) });
    return { where: this.where, program: argv[0] ?? '', line, printedBytes: this.limits.printedBytes };
  }

  private async runShared(command: Command, options: ExecOptions, left: () => number): Promise<ExecResult> {
    const client = await this.sharedClient(options, left());
    const done = this.shared.use(client);
    try {
      return await runCommand(client, command, { ...options, timeoutMs: left() });
    } catch (error) {
      // Dead, or all its sessions are held: sshd gives one back only when its process ends, and given-up ones may never do.
      if (error instanceof NotStarted) this.shared.retire(client);
      throw error;
    } finally {
      done();
    }
  }

  private usesSudo(options: ExecOptions): boolean {
    return options.sudo !== false && this.spec.ssh.user !== 'root';
  }

  private async sharedClient(options: Pick<ExecOptions, 'signal'>, timeoutMs: number): Promise<Client> {
    return patiently(
      this.shared.client(),
      this.patience(options, timeoutMs, 'HostUnreachable', 'no SSH connection yet'),
    );
  }

  private patience(
    { signal }: Pick<ExecOptions, 'signal'>,
    timeoutMs: number,
    type: 'CommandTimeout' | 'HostUnreachable',
    what: string,
  ): Patience {
    const late = (): Error => new ProvisionError(type, `${this.where}: ${what} after ${timeoutMs / 1000} s`);
    return { signal, timeoutMs, late };
  }

  private accept({ program }: Command, options: ExecOptions, result: ExecResult): ExecResult {
    const refusal = this.usesSudo(options) ? sudoRefusal(result) : null;
    if (refusal !== null) {
      throw new ProvisionError('SudoRefused', `${this.where}: ${program} was not run, sudo refuses: ${refusal}`, {
        stderr: result.stderr.slice(0, 300),
      });
    }
    return result;
  }
}
