/**
 * The files and variables an inventory names: the SSH key, known_hosts, secrets. Contents never reach a message.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import ssh2 from 'ssh2';
import { splitSecretRef } from '../domain/secret-ref.js';
import type { NotifySpec, SecretRef, ServerSpec, SshLogin } from '../domain/spec.js';
import type { Finding } from './cross-checks.js';
import { hasHostKey, knownHostsName } from './known-hosts.js';
import type { FieldPath } from './problem.js';
import { type InventorySource, unreadable } from './source.js';

/** @param secrets also look at environment variables, which matter where the worker runs. */
export function namedFileFindings(source: InventorySource, spec: ServerSpec, secrets: boolean): readonly Finding[] {
  const { bmc, cluster, mirrors, name, ssh } = spec;
  return [
    ...finding(writtenAt(source, name, ['ssh', 'key']), loginKeyProblem(ssh, secrets)),
    ...finding(
      writtenAt(source, name, ['ssh', 'knownHosts']),
      knownHostsProblem(ssh, ssh.bastion === undefined ? '' : ' on the bastion'),
    ),
    ...(ssh.bastion === undefined ? [] : bastionFindings(source, name, ssh.bastion, ssh, secrets)),
    ...(bmc.kind === 'none'
      ? []
      : finding(['servers', name, 'bmc', 'credentials'], formProblem(bmc.credentials, secrets, CREDENTIALS))),
    ...(cluster.k3s.token === null
      ? []
      : finding(['clusters', cluster.name, 'k3s', 'token'], formProblem(cluster.k3s.token, secrets, TOKEN))),
    ...(spec.notify ?? []).flatMap((receiver, i) => receiverFindings(receiver, i, secrets)),
    ...(mirrors.registries === null ? [] : finding(['mirrors', 'registries'], registriesProblem(mirrors.registries))),
  ];
}

function receiverFindings(receiver: NotifySpec, i: number, secrets: boolean): readonly Finding[] {
  return [
    ...finding(['notify', i, receiver.kind], formProblem(receiver.url, secrets, WEB_ADDRESS)),
    ...(receiver.kind === 'slack'
      ? []
      : finding(['notify', i, 'secret'], formProblem(receiver.secret, secrets, SIGNING_KEY))),
  ];
}

/** A key of its own only: the one of the server has been looked at. And the key of the bastion's host, in the same file. */
function bastionFindings(
  source: InventorySource,
  name: string,
  bastion: SshLogin,
  server: SshLogin,
  secrets: boolean,
): readonly Finding[] {
  const at = writtenAt(source, name, ['ssh', 'bastion']);
  return [
    ...(bastion.key === server.key ? [] : finding([...at, 'key'], loginKeyProblem(bastion, secrets))),
    ...finding([...at, 'host'], hasNoKnownHosts(bastion) ? null : knownHostsProblem(bastion, '')),
  ];
}

function finding(path: FieldPath, text: string | null): readonly Finding[] {
  return text === null ? [] : [{ path, text }];
}

/** Where a value of this server comes from: its own entry, else `defaults`. */
function writtenAt(source: InventorySource, name: string, field: FieldPath): FieldPath {
  const own = ['servers', name, ...field];
  return source.has(own) ? own : ['defaults', ...field];
}

type Readable = { readonly text: string; readonly problem: null } | { readonly text: null; readonly problem: string };

function readable(path: string, expected: string): Readable {
  try {
    return { text: readFileSync(path, 'utf8'), problem: null };
  } catch (error) {
    return { text: null, problem: `found ${path}, but ${unreadable(error)}; expected ${expected}` };
  }
}

function loginKeyProblem({ key }: SshLogin, secrets: boolean): string | null {
  return key === null ? agentProblem(secrets) : keyProblem(key, secrets);
}

function agentProblem(secrets: boolean): string | null {
  if (!secrets || process.env['SSH_AUTH_SOCK']) return null;
  return 'found agent, but SSH_AUTH_SOCK is not set; expected a running ssh-agent that holds the key, or a reference to a key';
}

function keyProblem(ref: SecretRef, secrets: boolean): string | null {
  return secretProblem(ref, secrets, 'a private key without passphrase', (text, name) => {
    const parsed = ssh2.utils.parseKey(text);
    if (parsed instanceof Error) {
      const encrypted = /ENCRYPTED/.test(text) || /encrypted/i.test(parsed.message);
      return encrypted
        ? `found ${name}, which has a passphrase; expected one without, or agent (ssh-add ${name})`
        : `found ${name}, which is no private key that ssh2 reads; expected OpenSSH or PEM form (ssh-keygen -p -f converts)`;
    }
    return parsed.isPrivateKey() ? null : `found ${name}, which is a public key; expected the private one`;
  });
}

/** A file that cannot be read is a finding of the server already. */
const hasNoKnownHosts = ({ knownHosts }: SshLogin): boolean => readable(knownHosts, '').text === null;

/** `from`: where the host can be asked for its key. */
function knownHostsProblem(ssh: SshLogin, from: string): string | null {
  const file = readable(ssh.knownHosts, 'a known_hosts file');
  if (file.text === null) return file.problem;
  if (hasHostKey(file.text, ssh.host, ssh.port)) return null;
  const name = knownHostsName(ssh.host, ssh.port);
  return `found ${ssh.knownHosts} without a key for ${name}; expected one; ssh-keyscan -p ${ssh.port} ${ssh.host}${from} prints it, compare it at the console`;
}

interface SecretForm {
  readonly pattern: RegExp;
  readonly name: string;
}

const CREDENTIALS: SecretForm = { pattern: /^[^:\s]+:[^\n]+$/, name: 'user:password' };
const WEB_ADDRESS: SecretForm = {
  pattern: /^https?:\/\/[^\s/@]+(\/\S*)?$/,
  name: 'a URL, https:// or http:// and without user',
};
const SIGNING_KEY: SecretForm = { pattern: /^[^\n]{16,}$/, name: 'a key of at least 16 characters on one line' };
const TOKEN: SecretForm = { pattern: /^\S+$/, name: 'a token on one line' };

function formProblem(ref: SecretRef, secrets: boolean, { pattern, name }: SecretForm): string | null {
  return secretProblem(ref, secrets, name, (text) =>
    // One trailing newline is not part of a secret: editors add it.
    pattern.test(text.replace(/\r?\n$/, '')) ? null : `found ${ref} with another content; expected ${name}`,
  );
}

/** Programs and Kubernetes Secrets are asked by the worker only: looking must not have effects elsewhere. */
function secretProblem(
  ref: SecretRef,
  secrets: boolean,
  expected: string,
  judge: (text: string, name: string) => string | null,
): string | null {
  const [kind, what] = splitSecretRef(ref);
  if (kind === 'env') {
    if (!secrets) return null;
    const value = process.env[what];
    return value ? judge(value, ref) : `found ${ref}, which is not set; expected ${expected} in it`;
  }
  if (kind !== 'file') return null;
  const file = readable(what, `a file with ${expected}`);
  return file.text === null ? file.problem : (exposure(what) ?? judge(file.text, what));
}

/** Every user of the machine could take it. A mount of a container has the mode that its definition says. */
function exposure(path: string): string | null {
  const mode = statSync(path).mode & 0o777;
  if ((mode & READABLE_BY_OTHERS) === 0) return null;
  return `found ${path} with mode ${mode.toString(8)}, which every user of this machine may read; expected 600 (chmod 600 ${path})`;
}

const READABLE_BY_OTHERS = 0o004;

/** Mirrors alone are no secret; passwords for them are. */
function registriesProblem(path: string): string | null {
  const file = readable(path, 'a k3s registries.yaml');
  if (file.text === null) return file.problem;
  return /(password|auth|identity_token)["']?\s*:/.test(file.text) ? exposure(path) : null;
}
