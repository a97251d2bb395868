/**
 * The pinned keys of a host, and the error for a key that is not among them.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { SshLogin } from '../../domain/spec.js';
import type { FailureType } from '../../domain/run/failures.js';
import { ProvisionError } from '../../ports/failure.js';
import { fingerprint, judge, keyType, knownHostsName, pinsOf, type Pins, type Verdict } from './known-hosts.js';

/** Read anew for every connection, so that a key which a person adds counts at once. A missing file pins nothing. */
export async function readPins(ssh: SshLogin): Promise<Pins> {
  try {
    return pinsOf(await readFile(ssh.knownHosts, 'utf8'), ssh.host, ssh.port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { keys: [], ignored: [`the file cannot be read (${code})`] };
  }
}

/** null when the key is pinned. Nothing is ever added to the file: who trusts a new key is a person. */
export function hostKeyProblem(where: string, ssh: SshLogin, pins: Pins, shown: Buffer): ProvisionError | null {
  const verdict = judge(pins, shown);
  if (verdict === 'pinned') return null;
  const found = described(keyType(shown), shown);
  const pinned = pins.keys.filter((pin) => !pin.revoked).map((pin) => described(pin.type, pin.key));
  const name = knownHostsName(ssh.host, ssh.port);
  const { type, what } = PROBLEMS[verdict];
  return new ProvisionError(
    type,
    `${where}: ${what}. It shows ${found}; pinned for ${name} in ${ssh.knownHosts}: ${pinned.join(', ') || 'nothing'}` +
      (pins.ignored.length === 0 ? '' : ` (left out: ${pins.ignored.join('; ')})`),
    { found, pinned, ignored: pins.ignored, knownHosts: ssh.knownHosts },
  );
}

const PROBLEMS: Readonly<Record<Exclude<Verdict, 'pinned'>, { type: FailureType; what: string }>> = {
  unknown: { type: 'HostKeyUnknown', what: 'no key of this host is pinned' },
  changed: { type: 'HostKeyChanged', what: 'the host shows another key than the pinned one' },
  revoked: { type: 'HostKeyChanged', what: 'the host shows a key that is marked @revoked' },
};

function described(type: string | null, key: Buffer): string {
  return `${type ?? 'a garbled key'} ${fingerprint(key)}`;
}
