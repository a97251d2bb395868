/**
 * A byte stream through a logged-in client to an address as its host sees it (direct-tcpip, RFC 4254 section 7.2).
 * @module
 */
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import { AddressUnreachable, ProvisionError } from '../../ports/failure.js';
import { patiently } from './patience.js';

export interface Forward {
  /** For messages: whose client it is. */
  readonly where: string;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reasons of SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254 section 5.1. */
const PROHIBITED = 1;
const CONNECT_FAILED = 2;

/** Throws AddressUnreachable when only the address does not answer; ProvisionError ForwardingRefused, and LinkLost for the link itself. */
export async function forward(client: Client, to: Forward): Promise<Duplex> {
  const { where, host, port, timeoutMs, signal } = to;
  const target = `${where}: no connection from there to ${host}:${port}`;
  const opening = new Promise<Duplex>((resolve, reject) => {
    try {
      client.forwardOut('127.0.0.1', 0, host, port, (error, stream) =>
        error ? reject(meaningOf(error, to, target)) : resolve(stream),
      );
    } catch (error) {
      // ssh2 throws where the client is dead already.
      reject(linkLost(to, error));
    }
  });
  try {
    const late = (): Error => new AddressUnreachable(`${target}: no answer within ${timeoutMs / 1000} s`);
    return await patiently(opening, { signal, timeoutMs, late });
  } catch (error) {
    // One that opens after all is nobody's.
    opening.then((stream) => stream.destroy()).catch(() => {});
    throw error;
  }
}

function meaningOf(error: Error, to: Forward, target: string): Error {
  const reason = 'reason' in error ? error.reason : null;
  if (reason === CONNECT_FAILED) return new AddressUnreachable(`${target}: ${error.message}`, { cause: error });
  if (reason === PROHIBITED)
    return new ProvisionError(
      'ForwardingRefused',
      `${to.where}: sshd forbids connections to ${to.host}:${to.port}; expected AllowTcpForwarding yes or local, and PermitOpen any or with that address`,
      {},
      { cause: error },
    );
  return linkLost(to, error);
}

function linkLost({ where, host, port }: Forward, error: unknown): ProvisionError {
  const why = error instanceof Error ? error.message : String(error);
  return new ProvisionError(
    'LinkLost',
    `${where}: the connection broke on the way to ${host}:${port}: ${why}`,
    {},
    { cause: error },
  );
}
