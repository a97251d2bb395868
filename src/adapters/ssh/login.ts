/**
 * Who logs in, with what: a private key by reference, or the agent of the worker.
 * @module
 */
import ssh2, { type AnyAuthMethod } from 'ssh2';
import type { SshLogin } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import type { SecretSource } from '../../ports/secrets.js';

/** @throws ProvisionError SecretUnreadable, or AuthenticationFailed when there is neither a key nor an agent. */
export async function loginMethod(ssh: SshLogin, secrets: SecretSource): Promise<AnyAuthMethod> {
  if (ssh.key === null) return { type: 'agent', username: ssh.user, agent: agentSocket() };
  const key = ssh2.utils.parseKey(await secrets.read(ssh.key));
  if (key instanceof Error) throw unusable(ssh.key, /encrypted/i.test(key.message) ? ENCRYPTED : NOT_A_KEY);
  if (!key.isPrivateKey()) throw unusable(ssh.key, 'is a public key; name the private one, usually without .pub');
  return { type: 'publickey', username: ssh.user, key };
}

const ENCRYPTED = 'is protected by a passphrase: load it into an SSH agent and leave ssh.key out, or use one without';
const NOT_A_KEY = 'is not a private key in OpenSSH or PEM form';

function agentSocket(): string {
  const socket = process.env['SSH_AUTH_SOCK'];
  if (socket === undefined || socket === '') {
    throw new ProvisionError(
      'AuthenticationFailed',
      'ssh.key is left out, so the SSH agent is used, but SSH_AUTH_SOCK is not set in the environment of the worker',
    );
  }
  return socket;
}

function unusable(ref: string, why: string): ProvisionError {
  return new ProvisionError('SecretUnreadable', `the key ${ref} ${why}`, { ref });
}
