/**
 * The files and variables an inventory names: the SSH key, known_hosts, secrets. Contents never reach a message.
 * @module
 */
import { readFileSync } from 'node:fs';
import ssh2 from 'ssh2';
import type { SecretRef, ServerSpec } from '../domain/spec.js';
import type { Finding } from './cross-checks.js';
import { hasHostKey, knownHostsName } from './known-hosts.js';
import type { FieldPath } from './problem.js';
import { type InventorySource, unreadable } from './source.js';

/** @param secrets also look at environment variables, which matter where the worker runs. */
export function namedFileFindings(source: InventorySource, spec: ServerSpec, secrets: boolean): readonly Finding[] {
  const { bmc, cluster, mirrors, name, ssh } = spec;
  return [
    ...finding(writtenAt(source, name, ['ssh', 'key']), ssh.key === null ? agentProblem(secrets) : keyProblem(ssh.key)),
    ...finding(writtenAt(source, name, ['ssh', 'knownHosts']), knownHostsProblem(spec)),
    ...(bmc.kind === 'none'
      ? []
      : finding(['servers', name, 'bmc', 'credentials'], secretProblem(bmc.credentials, secrets, CREDENTIALS))),
    ...(cluster.k3s.token === null
      ? []
      : finding(['clusters', cluster.name, 'k3s', 'token'], secretProblem(cluster.k3s.token, secrets, TOKEN))),
    ...(mirrors.registries === null
      ? []
      : finding(['mirrors', 'registries'], readable(mirrors.registries, 'a k3s registries.yaml').problem)),
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

function agentProblem(secrets: boolean): string | null {
  if (!secrets || process.env['SSH_AUTH_SOCK']) return null;
  return 'found agent, but SSH_AUTH_SOCK is not set; expected a running ssh-agent that holds the key, or file:PATH';
}

function keyProblem(key: SecretRef): string | null {
  const path = key.slice('file:'.length);
  const file = readable(path, 'a private key without passphrase');
  if (file.text === null) return file.problem;
  const parsed = ssh2.utils.parseKey(file.text);
  if (parsed instanceof Error) {
    const encrypted = /ENCRYPTED/.test(file.text) || /encrypted/i.test(parsed.message);
    return encrypted
      ? `found ${path}, which has a passphrase; expected one without, or agent (ssh-add ${path})`
      : `found ${path}, which is no private key that ssh2 reads; expected OpenSSH or PEM form (ssh-keygen -p -f converts)`;
  }
  return parsed.isPrivateKey() ? null : `found ${path}, which is a public key; expected the private one`;
}

function knownHostsProblem({ ssh }: ServerSpec): string | null {
  const file = readable(ssh.knownHosts, 'a known_hosts file');
  if (file.text === null) return file.problem;
  if (hasHostKey(file.text, ssh.host, ssh.port)) return null;
  const name = knownHostsName(ssh.host, ssh.port);
  return `found ${ssh.knownHosts} without a key for ${name}; expected one; ssh-keyscan -p ${ssh.port} ${ssh.host} prints it, compare it at the console`;
}

interface SecretForm {
  readonly pattern: RegExp;
  readonly name: string;
}

const CREDENTIALS: SecretForm = { pattern: /^[^:\s]+:[^\n]+$/, name: 'user:password' };
const TOKEN: SecretForm = { pattern: /^\S+$/, name: 'a token on one line' };

function secretProblem(ref: SecretRef, secrets: boolean, form: SecretForm): string | null {
  if (ref.startsWith('env:')) {
    if (!secrets) return null;
    const value = process.env[ref.slice('env:'.length)];
    if (!value) return `found ${ref}, which is not set; expected ${form.name} in it`;
    return wellFormed(ref, value, form);
  }
  const file = readable(ref.slice('file:'.length), `a file with ${form.name}`);
  return file.text === null ? file.problem : wellFormed(ref, file.text, form);
}

/** One trailing newline is not part of a secret: editors add it. */
function wellFormed(ref: SecretRef, text: string, form: SecretForm): string | null {
  return form.pattern.test(text.replace(/\r?\n$/, ''))
    ? null
    : `found ${ref} with another content; expected ${form.name}`;
}
