/**
 * One command over a logged-in client.
 * @module
 */
import type { Client, ClientChannel } from 'ssh2';
import { ProvisionError } from '../../ports/failure.js';
import type { ExecOptions, ExecResult } from '../../ports/host.js';
import { DEFAULT_MAX_OUTPUT_BYTES } from './limits.js';
import { CappedText, LineReader } from './output.js';

/** The command never began, because this client cannot take it: dead already, or out of sessions. Another client may run it. */
export class NotStarted extends ProvisionError {}

export interface Command {
  /** For messages: the host and the program, never the arguments. */
  readonly where: string;
  readonly program: string;
  readonly line: string;
  /** Of both streams together; one that prints more is given up. */
  readonly printedBytes: number;
}

/**
 * Runs a line in the login shell of the host. When time is over or the signal aborts the channel is closed and nobody waits any
 * longer, but the process may live on: sshd sends no signal to it. What must not do so runs as a systemd unit.
 */
export function runCommand(client: Client, command: Command, options: ExecOptions): Promise<ExecResult> {
  const { signal, timeoutMs } = options;
  const { where, program } = command;
  return new Promise<ExecResult>((resolve, reject) => {
    let channel: ClientChannel | null = null;
    let settled = false;
    const settle = (how: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      how();
    };
    const giveUp = (reason: unknown): void =>
      settle(() => {
        channel?.close();
        reject(reason);
      });
    const abort = (): void => giveUp(signal?.reason);
    const timer = setTimeout(() => {
      giveUp(new ProvisionError('CommandTimeout', `${where}: ${program} did not end within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    signal?.addEventListener('abort', abort);

    const opened = (error: Error | undefined, fresh: ClientChannel): void => {
      if (error) return giveUp(failedToStart(command, error));
      if (settled) return fresh.close();
      channel = fresh;
      collect(command, fresh, options).then(
        (result) => settle(() => (result ? resolve(result) : reject(linkLost(command)))),
        giveUp,
      );
    };
    try {
      client.exec(command.line, opened);
    } catch (error) {
      giveUp(
        new NotStarted(
          'LinkLost',
          `${where}: the connection was gone before ${program} was sent`,
          {},
          { cause: error },
        ),
      );
    }
  });
}

/** Reads a channel to its end; null when it closed without saying how the command ended. Rejects when onLine throws, or output never stops. */
function collect(command: Command, channel: ClientChannel, options: ExecOptions): Promise<ExecResult | null> {
  const maxBytes = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const stdout = new CappedText(maxBytes);
  const stderr = new CappedText(maxBytes);
  const lines = options.onLine ? new LineReader(options.onLine) : null;
  return new Promise((resolve, reject) => {
    let exit: Pick<ExecResult, 'exitCode' | 'signal'> | null = null;
    let open = 2;
    let printed = 0;
    const count = (chunk: Buffer): void => {
      printed += chunk.length;
      if (printed > command.printedBytes) throw printsTooMuch(command);
    };
    const closed = guarded(reject, () => {
      open -= 1;
      if (open > 0) return;
      lines?.end();
      resolve(
        exit && {
          ...exit,
          stdout: stdout.end(),
          stderr: stderr.end(),
          truncated: stdout.truncated || stderr.truncated,
        },
      );
    });
    channel.on(
      'data',
      guarded(reject, (chunk: Buffer) => {
        count(chunk);
        stdout.push(chunk);
        lines?.push(chunk);
      }),
    );
    channel.stderr.on(
      'data',
      guarded(reject, (chunk: Buffer) => {
        count(chunk);
        stderr.push(chunk);
      }),
    );
    channel.on('exit', (code: number | null, name?: string) => {
      exit = { exitCode: code, signal: name ?? null };
    });
    // A command that ends without reading its input is no error of ours; its exit code says what happened.
    channel.on('error', () => {});
    channel.on('close', closed);
    channel.stderr.on('end', closed);
    channel.end(options.stdin);
  });
}

/** A callback's own exception must end the command, not the worker. */
function guarded<A extends readonly unknown[]>(
  reject: (error: unknown) => void,
  body: (...args: A) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      body(...args);
    } catch (error) {
      reject(error);
    }
  };
}

/** Only a refusal to open the channel proves that nothing ran; a link that broke in between does not. */
function failedToStart({ where, program }: Command, error: Error): ProvisionError {
  const because = { cause: error };
  if ('reason' in error) {
    return new NotStarted('HostUnreachable', `${where}: the host opens no session: ${error.message}`, {}, because);
  }
  if (/unable to exec/i.test(error.message)) {
    return new ProvisionError('HostUnreachable', `${where}: the host runs no commands for this user`, {}, because);
  }
  return new ProvisionError('LinkLost', `${where}: the connection broke while ${program} was started`, {}, because);
}

function printsTooMuch({ where, program, printedBytes }: Command): ProvisionError {
  const limit = `${printedBytes / 1024 / 1024} MiB`;
  return new ProvisionError('OutputUnexpected', `${where}: ${program} printed more than ${limit} and was given up`);
}

function linkLost({ where, program }: Command): ProvisionError {
  return new ProvisionError(
    'LinkLost',
    `${where}: the connection broke while ${program} ran; how it ended is not known`,
  );
}
