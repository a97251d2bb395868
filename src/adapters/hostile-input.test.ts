import { assert, property, uint8Array } from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { expectNoPollution, hostileText, quadraticTraps, unsoundNumbers } from '../../test/support/hostile-text.js';
import { parseK3sConfig } from '../activities/k3s.js';
import { ProvisionError } from '../ports/failure.js';
import { parseEventLog, parseFruField, parsePowerStatus, parseSolEnabled } from './bmc/ipmi/output.js';
import { Collection } from './bmc/redfish/schema.js';
import { loadKubeconfig } from './kubernetes/kubeconfig.js';
import { refusal } from './kubernetes/refusal.js';
import { fingerprint, judge, keyType, pinsOf } from './ssh/known-hosts.js';
import { CappedText, LineReader } from './ssh/output.js';
import { sudoRefusal } from './ssh/sudo.js';

const KUBECONFIG = `apiVersion: v1
clusters:
- cluster: {certificate-authority-data: Zm9v, server: 'https://127.0.0.1:6443'}
  name: default
contexts:
- context: {cluster: default, user: default}
  name: default
current-context: default
users:
- name: default
  user: {client-certificate-data: Zm9v, client-key-data: Zm9v}
`;
const K3S_CONFIG = 'node-ip: 10.0.0.11\ndisable:\n  - traefik\n  - servicelb\n';
const SEL = '   1 | 11/24/2026 | 14:41:10 | Power Unit #0x01 | Power off/down | Asserted\n';
const FRU = ' Product Name          : PowerEdge\n Product Serial        : 5XKQ1P3\n';

/** The value, or the message of a failure of these types, if it is short; anything else that is thrown is a bug and passes. */
function readOrRefused(read: () => unknown, types: readonly ProvisionError['type'][]): unknown {
  try {
    return read();
  } catch (error) {
    const known = error instanceof ProvisionError && types.includes(error.type) && error.message.length < 2_100;
    if (known) return error.message;
    throw error;
  }
}

/** Everything outside the domain that reads a text from a host, a BMC or a cluster, and a text that it expects. */
const PARSERS: readonly (readonly [name: string, read: (text: string) => unknown, sample: string])[] = [
  ['power of a BMC', parsePowerStatus, 'Chassis Power is on\n'],
  ['event log of a BMC', parseEventLog, SEL],
  ['FRU of a BMC', (text) => parseFruField(text, 'Product Serial'), FRU],
  [
    'serial-over-LAN of a BMC',
    parseSolEnabled,
    'Set in progress : set-complete\nEnabled                         : true\n',
  ],
  ['a kubeconfig', (text) => readOrRefused(() => loadKubeconfig(text, 'h').host, ['ClusterUnreachable']), KUBECONFIG],
  // Its own numbers may be any; nothing is computed with them.
  ['config of k3s', (text) => typeof readOrRefused(() => parseK3sConfig(text), ['OutputUnexpected']), K3S_CONFIG],
  [
    'a refusal of sudo',
    (stderr) => sudoRefusal({ exitCode: 1, signal: null, stdout: '', stderr, truncated: false }),
    'ubuntu is not in the sudoers file.\n',
  ],
  ['a line of output', linesOf, 'one\ntwo\n'],
];

function linesOf(text: string): readonly string[] {
  const lines: string[] = [];
  const reader = new LineReader((line) => lines.push(line));
  reader.push(Buffer.from(text));
  reader.end();
  return lines;
}

afterEach(expectNoPollution);

describe('whatever a host, a BMC or a cluster says', () => {
  it.each(PARSERS)('%s: is read or refused with a failure of the table', (_, read, sample) => {
    assert(
      property(hostileText([sample]), (text) => {
        expect(unsoundNumbers(read(text))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it.each(PARSERS)('%s: is read in time that grows with its length', (_, read, sample) => {
    expect(quadraticTraps(read, sample)).toEqual([]);
  });

  it.each([
    ['an alias to what it is in', 'a: &x [*x]'],
    [
      'aliases that multiply',
      `a: &a [1,1,1,1,1,1,1,1]\n${'bcdefghij'.replace(/./g, (c, i: number) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(8)}]\n`)}`,
    ],
    ['nested without end', '['.repeat(60_000)],
    ['lists in lists', '- '.repeat(30_000)],
    ['keys that are maps', '? '.repeat(30_000)],
    ['maps in maps', '{a: '.repeat(15_000)],
    ['indented further and further', Array.from({ length: 340 }, (_, i) => `${' '.repeat(i)}-\n`).join('')],
    ['keys of objects', '__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}'],
    ['more keys than any file has', Array.from({ length: 100_000 }, (_, i) => `k${i}: 1\n`).join('')],
  ])('YAML: %s is refused or harmless', (_, text) => {
    const kubeconfig = readOrRefused(() => loadKubeconfig(text, 'h').host, ['ClusterUnreachable']);
    expect(kubeconfig).toContain('the kubeconfig in h cannot be used');
    const config = readOrRefused(() => parseK3sConfig(text), ['OutputUnexpected']);
    expect(Object.getPrototypeOf(Object(config))).not.toHaveProperty('polluted');
  });

  it('no entry of an event log is longer than a sentence, and no field than a FRU holds', () => {
    const long = 'x'.repeat(1_000_000);
    expect(parseEventLog(`${SEL}1 | ${long}\n`.repeat(2)).map((line) => line.length)).toEqual([72, 300, 72, 300]);
    expect(parseFruField(`Product Serial : ${long}`, 'Product Serial')).toHaveLength(100);
  });

  it('a BMC cannot have itself asked for more resources than a BMC has', () => {
    const members = (count: number): unknown => ({
      Members: Array.from({ length: count }, (_, i) => ({ '@odata.id': `/redfish/v1/Systems/${i}` })),
    });
    expect(Collection.safeParse(members(64)).success).toBe(true);
    expect(Collection.safeParse(members(65)).success).toBe(false);
  });

  it('an answer of the API that is no object is a failure of the table', () => {
    const wrong = Collection.safeParse({ Members: 1 }).error;
    expect(refusal(wrong, 'the API of h', { source: 'h:/k3s.yaml', certificateEndsAt: null })).toMatchObject({
      type: 'ClusterUnreachable',
    });
  });

  it('a host key of any bytes has a type that can be printed, or none', () => {
    const pins = pinsOf('h ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk=', 'h', 22);
    assert(
      property(uint8Array({ maxLength: 100 }), (array) => {
        const key = Buffer.from(array);
        expect(judge(pins, key)).not.toBe('pinned');
        expect(keyType(key) ?? 'none').toMatch(/^[\w@.-]+$/);
        expect(fingerprint(key)).toMatch(/^SHA256:[\w+/]{43}$/);
      }),
    );
    const named = (name: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, name.length]), Buffer.from(name)]);
    expect(keyType(named('ssh-ed25519'))).toBe('ssh-ed25519');
    expect(keyType(named('\u001b[2J'))).toBeNull();
  });

  it('of output without end only the beginning is kept, whatever its bytes', () => {
    assert(
      property(uint8Array({ maxLength: 2_000 }), (array) => {
        const text = new CappedText(1_000);
        for (const byte of array) text.push(Buffer.from([byte]));
        expect(text.end().length).toBeLessThanOrEqual(1_000);
        expect(text.truncated).toBe(array.length > 1_000);
      }),
    );
    expect(linesOf('x'.repeat(1_000_000))).toEqual(['x'.repeat(65_536)]);
  });
});
