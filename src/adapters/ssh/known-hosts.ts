/**
 * Reads an OpenSSH known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") and judges the key a host shows.
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface PinnedKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  readonly type: string;
  /** The public key in SSH wire format. */
  readonly key: Buffer;
  readonly revoked: boolean;
}

/** What the file says about one host. */
export interface Pins {
  readonly keys: readonly PinnedKey[];
  /** Lines that were left out, with the reason: people should learn why their pin does not count. */
  readonly ignored: readonly string[];
}

export type Verdict = 'pinned' | 'unknown' | 'changed' | 'revoked';

/** `host` on port 22, else `[host]:port`: the name under which OpenSSH keeps a host. */
export function knownHostsName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Lines of a known_hosts file that speak about this host. Hashed names, patterns, negations and markers included. */
export function pinsOf(knownHosts: string, host: string, port: number): Pins {
  const name = knownHostsName(host, port);
  const keys: PinnedKey[] = [];
  const ignored: string[] = [];
  for (const [index, line] of knownHosts.split('\n').entries()) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === '' || fields[0]?.startsWith('#')) continue;
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [names, type, base64] = fields;
    if (names === undefined || !namesInclude(names, name)) continue;
    const key = type === undefined || base64 === undefined ? null : decodeKey(type, base64);
    const problem = problemWith(marker, key);
    if (problem !== null) ignored.push(`line ${index + 1}: ${problem}`);
    else if (key !== null) keys.push({ ...key, revoked: marker === '@revoked' });
  }
  return { keys, ignored };
}

export function judge(pins: Pins, shown: Buffer): Verdict {
  const same = pins.keys.filter((pin) => pin.key.equals(shown));
  // One @revoked line outweighs any number of lines that pin the same key.
  if (same.some((pin) => pin.revoked)) return 'revoked';
  if (same.length > 0) return 'pinned';
  return pins.keys.some((pin) => !pin.revoked) ? 'changed' : 'unknown';
}

/** As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The key type a public key in wire format names, e.g. `ssh-ed25519`; null when it is garbled. */
export function keyType(key: Buffer): string | null {
  if (key.length < 4) return null;
  const length = key.readUInt32BE(0);
  if (length === 0 || length > key.length - 4) return null;
  const type = key.toString('latin1', 4, 4 + length);
  return /^[\w@.-]{1,64}$/.test(type) ? type : null;
}

function problemWith(marker: string | undefined, key: object | null): string | null {
  if (marker === '@cert-authority') return 'host certificates are not supported, pin the plain key';
  if (marker !== undefined && marker !== '@revoked') return `the marker ${marker} is unknown`;
  return key === null ? 'the key cannot be read' : null;
}

function decodeKey(type: string, base64: string): { type: string; key: Buffer } | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return null;
  const key = Buffer.from(base64, 'base64');
  return keyType(key) === type ? { type, key } : null;
}

function namesInclude(names: string, name: string): boolean {
  if (names.startsWith('|')) return isHashOf(names, name);
  let included = false;
  for (const pattern of names.split(',')) {
    const negated = pattern.startsWith('!');
    if (!matches(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    included = true;
  }
  return included;
}

/** `|1|salt|hash`: HMAC-SHA1 of the name, keyed with the salt. */
function isHashOf(hashed: string, name: string): boolean {
  const [, version, salt, hash] = hashed.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const want = Buffer.from(hash, 'base64');
  const have = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return want.length === have.length && timingSafeEqual(want, have);
}

/** `*` is any text, `?` any one character, everything else itself. */
function matches(pattern: string, name: string): boolean {
  const source = pattern.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, (c) => WILDCARDS[c] ?? `\\${c}`);
  return new RegExp(`^${source}$`, 's').test(name);
}

const WILDCARDS: Readonly<Record<string, string>> = { '*': '.*', '?': '.' };
