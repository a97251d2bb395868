import { inspect } from 'node:util';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { REDACTED, Redactor } from './redactor.js';

/** With everything that encodings treat differently. */
const SECRET = 'p4$$ "wörd"/\\+&?x';

const SECRET_TOKEN = 'q7Zt-Vb2x.Lw9mKd4';

function knowing(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.remember(secret);
  return redactor;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a secret that was read is taken out', () => {
  it.each<[string, string]>([
    ['as it is', SECRET],
    ['quoted in JSON', JSON.stringify({ password: SECRET })],
    ['in JSON in JSON', JSON.stringify({ body: JSON.stringify({ password: SECRET }) })],
    ['percent-encoded', `https://bmc/?p=${encodeURIComponent(SECRET)}`],
    ['in hex', Buffer.from(SECRET).toString('hex')],
    ['in upper-case hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['in base64', base64(SECRET)],
    ['in base64 after one byte', base64(`u${SECRET}`)],
    ['in base64 after two bytes', base64(`us${SECRET}`)],
    ['in base64 as basic authentication', `Authorization: ${base64(`admin:${SECRET}`)} HTTP`],
    ['in base64url', Buffer.from(`{"p":"${SECRET}"}`).toString('base64url')],
    ['in UTF-16', Buffer.from(SECRET, 'utf16le').toString('latin1')],
  ])('%s', (_name, text) => {
    const shown = knowing(SECRET).text(`before ${text} after`);
    expect(shown).toMatch(/^before .*\[redacted\].* after$/s);
    expect(shown.length).toBeLessThan(`before ${text} after`.length);
    // What is left of it in base64 is at most the group that it shared with others.
    expect(Buffer.from(shown.replace('[redacted]', ''), 'base64').toString()).not.toContain(SECRET.slice(3, -3));
  });

  it('as a field of a form', () => {
    const form = new URLSearchParams({ p: 'correct horse' }).toString();
    expect(knowing('correct horse').text(form)).toBe(`p=${REDACTED}`);
  });

  it('also when it is only the password of user:password', () => {
    expect(knowing('admin:correct-horse').text('BMC says: correct-horse is wrong for admin')).toBe(
      `BMC says: ${REDACTED} is wrong for admin`,
    );
  });

  it('also a single line of a key, and a credential of a registries.yaml', () => {
    const line = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW';
    const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${line}\nQyNTUxOQ==\n-----END OPENSSH PRIVATE KEY-----`;
    const registries = `mirrors:\n  docker.io:\n    endpoint: [https://mirror.example:5000]\nconfigs:\n  mirror.example:5000:\n    auth: { username: puller, password: hunter2hunter2 }\n`;
    const redactor = knowing(key, registries);
    expect(redactor.text(`> ${line}`)).toBe(`> ${REDACTED}`);
    expect(redactor.text('401 for puller:hunter2hunter2 at https://mirror.example:5000')).toBe(
      `401 for puller:${REDACTED} at https://mirror.example:5000`,
    );
  });

  it.each([
    ['its end', '[redacted] was sent, got 40', SECRET_TOKEN.slice(5)],
    ['its beginning', '[redacted] was sent, got 40', SECRET_TOKEN.slice(0, -5)],
  ])('and what is left of it in a message that was cut: all but %s', (_what, shown, left) => {
    expect(knowing(SECRET_TOKEN).text(`${left} was sent, got 40`)).toBe(shown);
    const hex = Buffer.from(SECRET_TOKEN).toString('hex');
    expect(knowing(SECRET_TOKEN).text(`${hex.slice(7)} or ${hex.slice(0, -7)}`)).toBe('[redacted] or [redacted]');
  });

  it('but not what it has in common with other texts', () => {
    const redactor = knowing('https://hooks.example.org/services/T0/B0/XXXXXXXXXXXXXXXX');
    expect(redactor.text('https://mirror.example.org/ubuntu')).toBe('https://mirror.example.org/ubuntu');
    const file = knowing('mirrors:\n  docker.io: {}\n');
    expect(file.text('mirrors:\n  quay.io')).toBe('mirrors:\n  quay.io');
  });

  it('one after the other, with what stands between them', () => {
    const redactor = knowing('correct-horse', 'battery-staple');
    expect(redactor.text('correct-horsebattery-staple, correct-horse/battery-staple')).toBe(
      '[redacted][redacted], [redacted]/[redacted]',
    );
  });

  it('and the longer of two of which one contains the other leaves nothing', () => {
    expect(knowing('correct-horse', 'correct-horse-battery').text('correct-horse-battery')).toBe(REDACTED);
  });

  it('but not a short one, which would take ordinary words out', () => {
    expect(knowing('root:ubuntu').text('ubuntu@h100-01')).toBe('ubuntu@h100-01');
  });

  it('from every text of a result, and nothing else changes', () => {
    const result = { a: [`x ${SECRET}`, 1, null], b: { [SECRET]: true }, at: undefined };
    expect(knowing(SECRET).value(result)).toEqual({
      a: [`x ${REDACTED}`, 1, null],
      b: { [REDACTED]: true },
      at: undefined,
    });
  });

  it('from an error, its stack, its details and its causes', () => {
    const cause = new Error(`cause ${SECRET}`);
    const error = ApplicationFailure.create({
      message: `said ${SECRET}`,
      type: 'BmcUnavailable',
      details: [{ SECRET }],
      cause,
    });
    const treated = knowing(SECRET).error(error);
    expect(treated).toBe(error);
    expect(error).toMatchObject({
      message: `said ${REDACTED}`,
      type: 'BmcUnavailable',
      details: [{ SECRET: REDACTED }],
    });
    expect(inspect(error, { depth: 9 })).not.toContain('p4$$');
  });
});

describe('an error whose message cannot be assigned', () => {
  it('is treated all the same', () => {
    const redactor = knowing(SECRET_TOKEN);
    const said = new DOMException(`no answer to ${SECRET_TOKEN}`, 'TimeoutError');
    expect(redactor.error(said)).toBe(said);
    expect(said).toMatchObject({ name: 'TimeoutError', message: `no answer to ${REDACTED}` });
    const ordinary = AbortSignal.abort().reason as Error;
    expect(redactor.error(new Error('stopped', { cause: ordinary }))).toMatchObject({ cause: ordinary });
    expect(ordinary.message).toBe('This operation was aborted');
  });
});

describe('what has the form of a secret is taken out without being known', () => {
  it.each([
    [
      'ipmitool -I lanplus -U admin -P s3cret chassis status',
      `ipmitool -I lanplus -U admin -P ${REDACTED} chassis status`,
    ],
    ['mysqld --password=s3cret --port 3306', `mysqld --password=${REDACTED} --port 3306`],
    ['env IPMI_PASSWORD=s3cret ipmitool -E', `env IPMI_PASSWORD=${REDACTED} ipmitool -E`],
    ['pull https://puller:s3cret@mirror.example/v2', `pull https://puller:${REDACTED}@mirror.example/v2`],
    ['"Authorization": "Basic YWRtaW46eA=="', `"Authorization": "Basic ${REDACTED}"`],
    ['{"UserName":"admin","Password":"s3cret"}', `{"UserName":"admin","Password":"${REDACTED}"}`],
    ['-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\nrest', `${REDACTED}\nrest`],
    [`client-key-data: ${base64('-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE')}`, `client-key-data: ${REDACTED}`],
  ])('%s', (text, shown) => {
    expect(new Redactor().text(text)).toBe(shown);
  });

  it.each([
    'sudo asks for a password: install the sudo rule from the docs',
    'BOOT_IMAGE=/vmlinuz root=UUID=1c2e ro iommu=pt gpu-provision.trial=RUN panic=30',
    'ssh://192.0.2.11:22 and http://[::1]:8080/redfish',
    'qemu-system-x86_64 -smp 4 -m 8192 -P',
  ])('and ordinary text stays: %s', (text) => {
    expect(new Redactor().text(text)).toBe(text);
  });

  it.each(['ipmitool ', 'a-', 'a:', 'https://a:', '--token', 'LS0tLS1CRUdJTi', '-----BEGIN PRIVATE KEY-----'])(
    'in time that grows with the length of a text, not with its square: %s',
    (unit) => {
      const redactor = knowing(SECRET_TOKEN);
      const seconds = (length: number): number => {
        const text = unit.repeat(Math.ceil(length / unit.length));
        const before = performance.now();
        redactor.text(text);
        return (performance.now() - before) / 1_000;
      };
      seconds(1_000);
      // Half a second for the largest result that Temporal takes, on a busy machine many times that; the square would take an hour.
      expect(seconds(2_000_000)).toBeLessThan(30);
    },
    60_000,
  );
});
