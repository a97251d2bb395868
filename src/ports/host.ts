/**
 * A server reached over SSH. Implemented by adapters/ssh; played by the lab over the same wire.
 * Every method throws ProvisionError: HostUnreachable, HostBooting, LinkLost, CommandTimeout, HostKeyUnknown, HostKeyChanged,
 * AuthenticationFailed, ForwardingRefused, SudoRefused, SecretUnreadable; BastionUnreachable, BastionRefused.
 * @module
 */
import type { Duplex } from 'node:stream';
import type { ServerLogin } from '../domain/spec.js';

export interface ExecOptions {
  /** What the command is, for traces, where its first word does not say; never an argument. */
  readonly name?: string;
  /** Bytes for the command's standard input. */
  readonly stdin?: string | Uint8Array;
  /** Run as root through `sudo -n` (default true; no sudo is used when the login user is root). */
  readonly sudo?: boolean;
  /** Limit for the whole command, in milliseconds. */
  readonly timeoutMs: number;
  /** Stops waiting and closes the channel when aborted; rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Keep at most this many bytes of each stream, default 1 MiB; the rest is counted and dropped. */
  readonly maxOutputBytes?: number;
  /** Called with each complete line of standard output as it arrives. */
  readonly onLine?: (line: string) => void;
}

export interface ExecResult {
  /** null when a signal ended the command. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Decoded as UTF-8; a character split between packets arrives whole. */
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

export interface Host {
  /** Runs one argument vector over the shared connection. The exit code is the caller's to judge. */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** The same over a new TCP connection that is closed afterwards: for probing a host that may have rebooted. */
  execFresh(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /**
   * A byte stream to an address as the host sees it, through the shared connection (SSH direct-tcpip). Throws AddressUnreachable as well,
   * when the host cannot connect there.
   */
  openStream(host: string, port: number): Promise<Duplex>;
}

/** Hands out one Host per server; its connection is opened on first use, reused, and reopened when dead. */
export interface HostProvider {
  get(spec: ServerLogin): Host;
  /** Closes every connection. */
  close(): Promise<void>;
}
