/**
 * What a failed attempt to log in means.
 * @module
 */
import { type FailureType } from '../../domain/run/failures.js';
import { ProvisionError } from '../../ports/failure.js';

/** What ssh2 adds to its errors: the stage it was in, and the code of the system or of the peer's disconnect message. */
interface StagedError extends Error {
  readonly level?: string;
  readonly code?: string | number;
}

/**
 * pam_nologin shows this to everybody but root between the start of sshd and the end of the boot, and again while the system
 * goes down. sshd then closes the connection, which looks like a refused login.
 */
const NO_LOGINS_NOW = /System is (booting up|going down)|pam_nologin|Unprivileged users are not permitted to log in/i;

const SOCKET_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens on that port (connection refused)',
  EHOSTUNREACH: 'no route to host, or it does not answer ARP',
  ENETUNREACH: 'no route to that network',
  ETIMEDOUT: 'no answer (timed out)',
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name server does not answer',
  ECONNRESET: 'the host reset the connection',
};

/** `error` is null when the peer closed the connection without a word; `banner` is what it said before the login. */
export function connectFailure(where: string, error: StagedError | null, banner: string): ProvisionError {
  const said = banner.trim().slice(0, 300);
  const make = (type: FailureType, message: string): ProvisionError =>
    new ProvisionError(
      type,
      `${where}: ${message}`,
      said === '' ? {} : { banner: said },
      error ? { cause: error } : {},
    );

  if (NO_LOGINS_NOW.test(banner)) return make('HostBooting', `the host accepts no logins yet: ${said}`);
  if (error === null) return make('HostUnreachable', 'the host closed the connection during the login');
  if (isRefusedLogin(error)) return make('AuthenticationFailed', refusedLogin(error));
  if (error.level === 'client-timeout')
    return make('HostUnreachable', 'the port is open but SSH does not answer in time');
  return make('HostUnreachable', SOCKET_ERRORS[String(error.code)] ?? error.message);
}

function isRefusedLogin(error: StagedError): boolean {
  return (
    error.level === 'client-authentication' ||
    error.level === 'agent' ||
    // sshd says so in its disconnect message when the agent holds more keys than MaxAuthTries.
    /too many authentication failures/i.test(error.message)
  );
}

function refusedLogin(error: StagedError): string {
  if (error.level === 'agent') return `the SSH agent of the worker failed: ${error.message}`;
  if (error.level === 'client-authentication') return 'the host refuses this user with this key';
  return `${error.message}: the agent offers many keys, name the right one with ssh.key`;
}
