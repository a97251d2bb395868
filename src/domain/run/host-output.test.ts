import { assert, array, constantFrom, nat, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedNote, hostOutputOf, newest, newLines, OUTPUT_LINES, type HostOutput } from './host-output.js';

const kind = 'host-output';
const output = (...lines: readonly string[]): HostOutput => ({ kind, command: 'apt-get', lines });
const asItIs = (text: string): string => text;

describe('what leaves the worker of what a host says', () => {
  it('is the last lines, without those that are empty', () => {
    const lines = Array.from({ length: 20 }, (_, i) => [`line ${i}`, '', '  ']).flat();
    expect(boundedNote(output(...lines), asItIs)).toEqual(
      output('line 12', 'line 13', 'line 14', 'line 15', 'line 16', 'line 17', 'line 18', 'line 19'),
    );
  });

  it('is small and of one line each, whatever the host says', () => {
    assert(
      property(array(string({ unit: 'binary', maxLength: 2_000 }), { maxLength: 30 }), (lines) => {
        const note = boundedNote(output(...lines), asItIs) as HostOutput;
        expect(JSON.stringify(note).length).toBeLessThan(OUTPUT_LINES * 200 * 6 + 200);
        expect(note.lines.join('')).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  it('has lost its secrets before it is cut, and those that are hidden between invisible characters', () => {
    const redact = (text: string): string => text.replaceAll('correct-horse', '[redacted]');
    const at = 'x'.repeat(195);
    expect(boundedNote(output(`${at}correct-horse`, 'cor\u200brect-\u0007horse'), redact)).toEqual(
      output(`${at}[reda`, '[redacted]'),
    );
    expect(boundedNote('correct-horse activating', redact)).toBe('[redacted] activating');
  });
});

describe('the details of a heartbeat', () => {
  it.each([
    ['a note in words', 'gpu-provision-1-apt.service activating'],
    ['nothing', undefined],
    ['null', null],
    ['of another kind', { kind: 'progress', command: 'apt-get', lines: ['a'] }],
    ['without lines', { kind, command: 'apt-get' }],
    ['with no line', output()],
    ['with lines that are none', { kind, command: 'apt-get', lines: [1, {}] }],
    ['without a command', { kind, lines: ['a'] }],
  ])('are no output: %s', (_, details) => {
    expect(hostOutputOf(details)).toBeNull();
  });

  it('are output again, made harmless once more', () => {
    expect(hostOutputOf(output('Setting up lvm2', '\u001b[2Jgone'))).toEqual(output('Setting up lvm2', '[2Jgone'));
  });
});

describe('new lines', () => {
  it.each<[string, HostOutput | null, HostOutput | null, readonly string[]]>([
    ['all of the first look', null, output('a', 'b'), ['a', 'b']],
    ['what came behind', output('a', 'b', 'c'), output('b', 'c', 'd'), ['d']],
    ['none of the same', output('a', 'b'), output('a', 'b'), []],
    ['all after a gap', output('a', 'b'), output('y', 'z'), ['y', 'z']],
    ['all of another command', { ...output('a'), command: 'update-grub' }, output('a'), ['a']],
    ['none of a host that says nothing', output('a'), null, []],
    ['equal lines that repeat', output('.', '.', '.'), output('.', '.', 'x'), ['x']],
  ])('are %s', (_, before, now, wanted) => {
    expect(newLines(before, now)).toEqual(wanted);
  });

  it('make up the whole list, however often it is looked at, where no look comes too late', () => {
    assert(
      property(array(constantFrom('a', 'b', 'c', 'd', 'e')), nat(4), (letters, step) => {
        const all = letters.map((letter, i) => `${i}${letter}`);
        let seen: readonly string[] = [];
        const told: string[] = [];
        for (let end = 0; end < all.length + step + 1; end += step + 1) {
          const now = all.slice(0, end).slice(-OUTPUT_LINES);
          told.push(...newest(seen, now, (a, b) => a === b));
          seen = now;
        }
        expect(told).toEqual(all.slice(0, told.length));
      }),
    );
  });
});
