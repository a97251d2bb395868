/**
 * One login: TCP, host key, user key.
 * @module
 */
import type { Duplex } from 'node:stream';
import { Client } from 'ssh2';
import type { SshLogin } from '../../domain/spec.js';
import type { ProvisionError } from '../../ports/failure.js';
import type { SecretSource } from '../../ports/secrets.js';
import { connectFailure } from './connect-failure.js';
import { hostKeyAlgorithms } from './host-key-algorithms.js';
import { hostKeyProblem, readPins } from './host-key.js';
import type { SshLimits } from './limits.js';
import { loginMethod } from './login.js';

export interface ConnectOptions {
  readonly secrets: SecretSource;
  readonly limits: SshLimits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client that is logged in. `where` names the host in messages; `sock` leads to it where TCP does not. Rejects with a ProvisionError,
 * or with the signal's reason.
 */
export async function logIn(
  where: string,
  ssh: SshLogin,
  { secrets, limits, signal }: ConnectOptions,
  sock?: Duplex,
): Promise<Client> {
  const pins = await readPins(ssh);
  const login = await loginMethod(ssh, secrets);
  signal?.throwIfAborted();

  return new Promise<Client>((resolve, reject) => {
    const client = new Client();
    let distrust: ProvisionError | null = null;
    let banner = '';
    const abort = (): void => fail(signal?.reason);
    const fail = (reason: unknown): void => {
      signal?.removeEventListener('abort', abort);
      client.destroy();
      reject(reason);
    };
    signal?.addEventListener('abort', abort);

    client.on('banner', (message) => {
      banner += message;
    });
    // Stays for the life of the client: an 'error' without a listener would end the worker.
    client.on('error', (error) => fail(distrust ?? connectFailure(where, error, banner)));
    client.on('close', () => fail(distrust ?? connectFailure(where, null, banner)));
    client.once('ready', () => {
      // Commands are small packets back and forth: with Nagle's algorithm each waits 40 ms and more for an acknowledgement.
      client.setNoDelay(true);
      signal?.removeEventListener('abort', abort);
      resolve(client);
    });
    client.connect({
      ...(sock === undefined ? {} : { sock }),
      host: ssh.host,
      port: ssh.port,
      username: ssh.user,
      authHandler: [login],
      algorithms: { serverHostKey: hostKeyAlgorithms(pins) },
      hostVerifier: (key: Buffer) => {
        distrust = hostKeyProblem(where, ssh, pins, key);
        return distrust === null;
      },
      readyTimeout: limits.connectTimeoutMs,
      keepaliveInterval: limits.keepaliveIntervalMs,
      keepaliveCountMax: limits.keepaliveMisses,
    });
  });
}

/** A peer that never answers the goodbye would keep the socket open; after this long it is closed from here. */
const GOODBYE_MS = 5_000;

/** Says goodbye, so that sshd logs an orderly end, and makes sure the socket goes away. */
export function disconnect(client: Client): void {
  const timer = setTimeout(() => client.destroy(), GOODBYE_MS).unref();
  client.once('close', () => clearTimeout(timer));
  client.end();
}
