/**
 * Whether a known_hosts file names a host, by the rules of sshd(8): patterns, `[host]:port`, hashed names, markers.
 * @module
 */
import { createHmac } from 'node:crypto';

/** How known_hosts writes a host: in lower case, bare for port 22, else `[host]:port`. */
export function knownHostsName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Whether a line gives a host key for this host. Lines marked @revoked or @cert-authority give none. */
export function hasHostKey(knownHosts: string, host: string, port: number): boolean {
  const name = knownHostsName(host, port);
  return knownHosts.split(/\r?\n/).some((line) => {
    const [names, keyType, key] = line.trim().split(/\s+/);
    if (names === undefined || names.startsWith('#') || names.startsWith('@')) return false;
    return keyType !== undefined && key !== undefined && matches(names, name);
  });
}

function matches(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return matchesHash(names, name);
  const patterns = names.split(',');
  const hit = (pattern: string): boolean => wildcard(pattern).test(name);
  return patterns.some(hit) && !patterns.some((pattern) => pattern.startsWith('!') && hit(pattern.slice(1)));
}

/** `|1|SALT|HASH`: HMAC-SHA1 of the name, both in base64. */
function matchesHash(hashed: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hashed.split('|');
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** `*` and `?` are the only wildcards. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, (char) => ({ '*': '.*', '?': '.' })[char] ?? `\\${char}`);
  return new RegExp(`^${source}$`, 'i');
}
