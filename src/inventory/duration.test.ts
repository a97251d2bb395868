import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationSeconds } from './duration.js';

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

describe('durations', () => {
  it.each([
    ['90s', 90],
    ['30m', 1_800],
    ['24h', 86_400],
    ['2d', 172_800],
  ])('%s is %i seconds', (text, seconds) => expect(durationSeconds(text)).toBe(seconds));

  it('a number times its unit, exactly, whatever the number', () => {
    const units = fc.constantFrom('s', 'm', 'h', 'd');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999 }), units, (count, unit) => {
        expect(durationSeconds(`${count}${unit}`)).toBe(count * UNITS[unit]);
      }),
    );
  });

  it('takes nothing but digits and a unit', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !/^[1-9][0-9]*[smhd]$/.test(text)),
        (text) => {
          expect(() => durationSeconds(text)).toThrow(RangeError);
        },
      ),
    );
  });

  it.each(['0s', '030m', '1.5h', '-1m', '30', 'm', '1h30m', '30M', '30m\n', '1000000s'])('refuses %j', (text) =>
    expect(() => durationSeconds(text)).toThrow(RangeError),
  );
});
