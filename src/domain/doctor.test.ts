import { describe, expect, it } from 'vitest';
import { broken, clockDiagnosis, doctorExit, fine, warned } from './doctor.js';

const SECOND = 1_790_000_000;
const ASKED = SECOND * 1_000 + 100;
const ANSWERED = SECOND * 1_000 + 900;

describe('the clock of a host', () => {
  it.each([
    ['the same second', SECOND, 'ok', 'within 5 s'],
    ['off by as much as may be', SECOND + 5, 'ok', 'within 5 s'],
    ['ahead', SECOND + 61, 'warn', '60 s ahead of'],
    ['behind', SECOND - 3_600, 'warn', '3599 s behind'],
  ] as const)('%s', (_, there, severity, text) => {
    const found = clockDiagnosis(`${there}\n`, ASKED, ANSWERED);
    expect(found.severity).toBe(severity);
    expect(found.text).toContain(text);
  });

  it.each(['', '1790000000%N', 'Thu Jan  1', '-1790000000'])('that prints %j is not taken for a time', (printed) => {
    expect(clockDiagnosis(printed, ASKED, ANSWERED).severity).toBe('warn');
  });
});

describe('the exit code', () => {
  it('is that of the first check that fails, and warnings have none', () => {
    const warning = warned('worker.version', 'another', 'change it');
    expect(doctorExit([fine('inventory', 'good'), warning])).toBe(0);
    expect(doctorExit([warning, broken('inventory', 'bad', 'x'), broken('ssh.login', 'bad', 'x')])).toBe(2);
    expect(doctorExit([broken('ssh.login', 'bad', 'x')])).toBe(7);
    expect(doctorExit([broken('worker.site', 'bad', 'x')])).toBe(8);
  });
});
