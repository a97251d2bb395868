/**
 * The way to a server: directly, or through its bastion.
 * @module
 */
import type { Client } from 'ssh2';
import type { FailureType } from '../../domain/run/failures.js';
import type { ServerLogin, SshLogin } from '../../domain/spec.js';
import { AddressUnreachable, ProvisionError } from '../../ports/failure.js';
import { inSpan } from '../../tracing/span.js';
import { disconnect, logIn, type ConnectOptions } from './client.js';
import { forward } from './forward.js';
import { countdown } from './patience.js';

/** How messages name the host: `h100-01 (ubuntu@192.0.2.11:22)`. */
export function placeOf({ name, ssh }: ServerLogin): string {
  return `${name} (${addressOf(ssh)})`;
}

const addressOf = ({ user, host, port }: SshLogin): string => `${user}@${host}:${port}`;

/** A client that is logged in to the server. Rejects with a ProvisionError, or with the signal's reason. */
export function connect(spec: ServerLogin, options: ConnectOptions): Promise<Client> {
  const { bastion, host, port } = spec.ssh;
  return inSpan('ssh connect', { 'server.address': host, 'server.port': port }, () =>
    bastion === undefined
      ? logIn(placeOf(spec), spec.ssh, options)
      : connectThrough({ where: `bastion of ${spec.name} (${addressOf(bastion)})`, login: bastion }, spec, options),
  );
}

interface Bastion {
  readonly where: string;
  readonly login: SshLogin;
}

/**
 * As OpenSSH's ProxyJump: the bastion carries bytes and sees no command and no key of the server. Each connection has one of its own to the
 * bastion, so that a fresh look at the server is fresh all the way. The limit is for both logins.
 */
async function connectThrough(bastion: Bastion, spec: ServerLogin, options: ConnectOptions): Promise<Client> {
  const { limits, signal } = options;
  const { host, port } = spec.ssh;
  const left = countdown(limits.connectTimeoutMs);
  const jump = await logIn(bastion.where, bastion.login, options).catch((error: unknown) => {
    throw ofBastion(error);
  });
  let lost = false;
  jump.once('close', () => (lost = true));
  try {
    const sock = await forward(jump, { where: bastion.where, host, port, timeoutMs: left(), signal });
    // A bastion says so when the server hangs up, and waits for us to do the same: SSH is of no use in one direction.
    sock.once('end', () => sock.destroy());
    const rest = { ...options, limits: { ...limits, connectTimeoutMs: left() } };
    const client = await logIn(placeOf(spec), spec.ssh, rest, sock);
    // Neither is of use without the other, and a frozen bastion never closes what runs through it.
    const hangUp = (): void => disconnect(jump);
    client.once('close', hangUp).once('error', hangUp);
    const giveUp = (): void => void client.destroy();
    jump.once('close', giveUp).once('error', giveUp);
    return client;
  } catch (error) {
    disconnect(jump);
    if (error instanceof AddressUnreachable)
      throw new ProvisionError('HostUnreachable', `${placeOf(spec)}: ${error.message}`, {}, { cause: error });
    if (!(error instanceof ProvisionError)) throw error;
    if (error.type === 'HostUnreachable' && lost)
      throw new ProvisionError(
        'BastionUnreachable',
        `${bastion.where}: the connection broke during the login behind it`,
      );
    throw OF_FORWARDING.includes(error.type) ? ofBastion(error) : error;
  }
}

/** On the way through the bastion these are the bastion's; what the server itself says keeps its type. */
const OF_FORWARDING: readonly FailureType[] = ['ForwardingRefused', 'LinkLost'];

/** What is wrong with a bastion says nothing about the server, and must not be taken for a server that is down. */
const BASTION_TYPES: { readonly [T in FailureType]?: FailureType } = {
  HostUnreachable: 'BastionUnreachable',
  HostBooting: 'BastionUnreachable',
  LinkLost: 'BastionUnreachable',
  HostKeyUnknown: 'BastionRefused',
  HostKeyChanged: 'BastionRefused',
  AuthenticationFailed: 'BastionRefused',
  ForwardingRefused: 'BastionRefused',
};

function ofBastion(error: unknown): unknown {
  if (!(error instanceof ProvisionError)) return error;
  const { message, details, cause } = error;
  return new ProvisionError(BASTION_TYPES[error.type] ?? error.type, message, details, { cause });
}
