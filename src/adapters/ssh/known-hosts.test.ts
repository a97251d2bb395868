import { describe, expect, it } from 'vitest';
import { hostKeyAlgorithms } from './host-key-algorithms.js';
import { fingerprint, judge, keyType, pinsOf } from './known-hosts.js';

/** Made by ssh-keygen of OpenSSH 9.2, like the fingerprints and the hashed lines below. */
const ED25519 = 'AAAAC3NzaC1lZDI1NTE5AAAAIFDMWNNq0W+IMHxhXmZj9FRQg0CiNoc7vMdp5bR50m5v';
const ED25519_PRINT = 'SHA256:dk+TznmyJfGD+l5y3C5xPmIVJIa+l3LmJvlyD+kTzT8';
const ECDSA =
  'AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBO7C/Im3AoGh2+3YvGbUPn7hP8gqtgxZ1N8CxYZSrap8WfUFnr1V0r+DlCXMlycQpBPhBH7rl0g9wGvao6W/VDw=';
const ECDSA_PRINT = 'SHA256:sPjgcnE69SyfypDh0vl0QOx547l7EBPWc/rfV8AhfA8';
const HASHED = [
  `|1|YcnNn5h642H8XwDgX31e54n3w2I=|n3Qt1K0edzAGRurXuYqSHi2+aGQ= ssh-ed25519 ${ED25519}`,
  `|1|yMgMnmqDZSDUqpuLdywvhUvS6KI=|EKjq6oNe6JesMDTWQmv+vFeBzpg= ssh-ed25519 ${ED25519}`,
  `|1|+gPmhUy86NxUiVzAk3qv8jMq3bc=|gh/NunLZZ2+xeoS2K1LsQn267DY= ecdsa-sha2-nistp256 ${ECDSA}`,
].join('\n');

const ed25519 = Buffer.from(ED25519, 'base64');
const ecdsa = Buffer.from(ECDSA, 'base64');
const typesFor = (file: string, host: string, port = 22): string[] => pinsOf(file, host, port).keys.map((k) => k.type);

describe('known_hosts', () => {
  it.each<[name: string, file: string, host: string, port: number, found: boolean]>([
    ['a plain name', `h100-01 ssh-ed25519 ${ED25519}`, 'h100-01', 22, true],
    ['one of several names', `h100-01,192.0.2.11 ssh-ed25519 ${ED25519}`, '192.0.2.11', 22, true],
    ['upper and lower case', `H100-01 ssh-ed25519 ${ED25519}`, 'h100-01', 22, true],
    ['a comment after the key', `h100-01 ssh-ed25519 ${ED25519} root@h100-01`, 'h100-01', 22, true],
    ['tabs and spaces in front', `\t h100-01\tssh-ed25519  ${ED25519}\r`, 'h100-01', 22, true],
    ['a port', `[h100-01]:2222 ssh-ed25519 ${ED25519}`, 'h100-01', 2222, true],
    ['an IPv6 address with a port', `[2001:db8::11]:2222 ssh-ed25519 ${ED25519}`, '2001:db8::11', 2222, true],
    ['a wildcard', `h100-* ssh-ed25519 ${ED25519}`, 'h100-01', 22, true],
    ['a one-character wildcard', `h100-0? ssh-ed25519 ${ED25519}`, 'h100-01', 22, true],
    ['a wildcard with a port', `[h100-*]:2222 ssh-ed25519 ${ED25519}`, 'h100-01', 2222, true],
    ['a hashed name', HASHED, 'h100-01', 22, true],
    ['a hashed address', HASHED, '192.0.2.11', 22, true],
    ['a hashed name with a port', HASHED, 'h100-01', 2222, true],
    ['another name', `h100-02 ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
    ['the name on another port', `[h100-01]:2222 ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
    ['the plain name for another port', `h100-01 ssh-ed25519 ${ED25519}`, 'h100-01', 2222, false],
    ['a dot that is no wildcard', `h100.01 ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
    ['a negation after a wildcard', `h100-*,!h100-01 ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
    ['a negation before a wildcard', `!h100-01,h100-* ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
    ['a hash of another name', HASHED, 'h100-02', 22, false],
    ['a line that is commented out', `# h100-01 ssh-ed25519 ${ED25519}`, 'h100-01', 22, false],
  ])('%s', (_name, file, host, port, found) => {
    expect(typesFor(file, host, port).length > 0).toBe(found);
  });

  it('keeps several keys of one host', () => {
    const file = `h100-01 ssh-ed25519 ${ED25519}\n\nh100-01 ecdsa-sha2-nistp256 ${ECDSA}\n`;
    expect(typesFor(file, 'h100-01')).toEqual(['ssh-ed25519', 'ecdsa-sha2-nistp256']);
  });

  it.each([
    [
      '@cert-authority h100-01 ssh-ed25519 ' + ED25519,
      'line 1: host certificates are not supported, pin the plain key',
    ],
    ['@trusted h100-01 ssh-ed25519 ' + ED25519, 'line 1: the marker @trusted is unknown'],
    ['h100-01 ssh-ed25519 not-base64', 'line 1: the key cannot be read'],
    ['h100-01 ssh-rsa ' + ED25519, 'line 1: the key cannot be read'],
    ['h100-01 ssh-ed25519', 'line 1: the key cannot be read'],
  ])('says why %s does not count', (file, reason) => {
    expect(pinsOf(file, 'h100-01', 22)).toEqual({ keys: [], ignored: [reason] });
  });
});

describe('the verdict over a key', () => {
  const pinned = `h100-01 ssh-ed25519 ${ED25519}`;
  it.each<[string, string, Buffer, string]>([
    ['the pinned key', pinned, ed25519, 'pinned'],
    ['another key than the pinned one', pinned, ecdsa, 'changed'],
    ['no pin at all', '', ed25519, 'unknown'],
    ['a revoked key', `@revoked h100-01 ssh-ed25519 ${ED25519}`, ed25519, 'revoked'],
    ['a key both pinned and revoked', `${pinned}\n@revoked * ssh-ed25519 ${ED25519}`, ed25519, 'revoked'],
    ['only another key revoked', `@revoked h100-01 ssh-ed25519 ${ED25519}`, ecdsa, 'unknown'],
  ])('%s: %s', (_what, file, shown, verdict) => {
    expect(judge(pinsOf(file, 'h100-01', 22), shown)).toBe(verdict);
  });
});

describe('a key', () => {
  it('has the fingerprint that ssh-keygen prints', () => {
    expect([fingerprint(ed25519), fingerprint(ecdsa)]).toEqual([ED25519_PRINT, ECDSA_PRINT]);
  });

  it('names its type, and none when it is garbled', () => {
    expect([ed25519, ecdsa, Buffer.alloc(0), Buffer.from([0, 0, 9, 9, 1])].map(keyType)).toEqual([
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      null,
      null,
    ]);
  });
});

describe('the key types a host is asked for', () => {
  it('begin with the pinned ones and never use SHA-1', () => {
    const asked = hostKeyAlgorithms(pinsOf(`h100-01 ecdsa-sha2-nistp256 ${ECDSA}`, 'h100-01', 22));
    expect(asked[0]).toBe('ecdsa-sha2-nistp256');
    expect(asked).toContain('ssh-ed25519');
    expect(asked).not.toContain('ssh-rsa');
  });

  it('are the usual ones when nothing is pinned, so that the error can name a key', () => {
    expect(hostKeyAlgorithms({ keys: [], ignored: [] })[0]).toBe('ssh-ed25519');
  });
});
