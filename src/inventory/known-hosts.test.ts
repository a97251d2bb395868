import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hasHostKey } from './known-hosts.js';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ';

/** As `ssh-keygen -H` writes it. */
function hashed(name: string): string {
  const salt = Buffer.alloc(20, 7);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

describe('a host key in known_hosts', () => {
  it.each([
    ['plain', `192.0.2.11 ${KEY}`, 22, true],
    ['with a comment', `192.0.2.11 ${KEY} root@h100-01`, 22, true],
    ['among names', `h100-01,192.0.2.11 ${KEY}`, 22, true],
    ['after other lines, with CRLF', `# site\r\n\r\n192.0.2.11 ${KEY}\r\n`, 22, true],
    ['with a port', `[192.0.2.11]:2222 ${KEY}`, 2222, true],
    ['hashed', `${hashed('192.0.2.11')} ${KEY}`, 22, true],
    ['hashed, with a port', `${hashed('[192.0.2.11]:2222')} ${KEY}`, 2222, true],
    ['by pattern', `192.0.2.? ${KEY}\n192.0.2.* ${KEY}`, 22, true],
    ['of another host', `192.0.2.1 ${KEY}\n192.0.2.111 ${KEY}`, 22, false],
    ['of another port', `[192.0.2.11]:2222 ${KEY}`, 22, false],
    ['of the usual port', `192.0.2.11 ${KEY}`, 2222, false],
    ['hashed, of another host', `${hashed('192.0.2.12')} ${KEY}`, 22, false],
    ['excluded', `192.0.2.*,!192.0.2.11 ${KEY}`, 22, false],
    ['where a dot is a dot', `192a0b2c11 ${KEY}`, 22, false],
    ['commented out', `# 192.0.2.11 ${KEY}`, 22, false],
    ['revoked', `@revoked 192.0.2.11 ${KEY}`, 22, false],
    ['of an authority', `@cert-authority 192.0.2.11 ${KEY}`, 22, false],
    ['without the key', '192.0.2.11 ssh-ed25519', 22, false],
  ])('%s', (_, text, port, expected) => expect(hasHostKey(text, '192.0.2.11', port)).toBe(expected));

  it('is found for an IPv6 address in upper case, which OpenSSH stores in lower case', () => {
    expect(hasHostKey(`${hashed('2001:db8::b')} ${KEY}`, '2001:DB8::B', 22)).toBe(true);
  });
});
