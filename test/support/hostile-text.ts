/**
 * What a host that lies, is broken or is held by an attacker may print where a parser expects something else.
 * @module
 */
import { constantFrom, integer, oneof, string, tuple, uint8Array, type Arbitrary } from 'fast-check';
import { expect } from 'vitest';

/** Put into a sample: what terminals act on, what ends lines and fields, what is no number, what JavaScript has names for. */
export const INTRUDERS = [
  '\0',
  '\u001b[2J',
  '\u001b]0;title\u0007',
  '\u009b31m',
  '\u202e',
  '\u200b',
  '\ufeff',
  '\ud800',
  '\r\n',
  '\n\n',
  '\n',
  '\t',
  '\u2028',
  '"',
  "'",
  '\\',
  '`',
  '=',
  '{',
  '}',
  '[',
  ']',
  '__proto__',
  'constructor',
  '-1',
  'NaN',
  '1e999',
  '9'.repeat(400),
  '{"__proto__":{"polluted":true}}',
] as const;

const bytes = uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString('utf8'));

/** Any text, any bytes, and every way to spoil one of the samples. */
export function hostileText(samples: readonly string[]): Arbitrary<string> {
  const spoiled = tuple(constantFrom(...samples), integer({ min: 0, max: 9_999 }), constantFrom(...INTRUDERS), bytes);
  const spoil = [
    (sample: string, at: number) => sample.slice(0, at),
    (sample: string, at: number) => sample.slice(at),
    (sample: string) => sample + sample,
    (sample: string) => sample.replaceAll('\n', '\r\n'),
    (sample: string, at: number, intruder: string) => sample.slice(0, at) + intruder + sample.slice(at),
    (sample: string, at: number, intruder: string) => sample.slice(0, at) + intruder + sample.slice(at + 1),
    (sample: string, at: number, intruder: string) => sample.replace(/\d+/g, (n, i) => (i >= at ? intruder : n)),
    (sample: string, at: number, _: string, line: string) => {
      const lines = sample.split('\n');
      return lines.toSpliced(at % lines.length, 1, line).join('\n');
    },
  ];
  const mutated = tuple(spoiled, constantFrom(...spoil)).map(([[sample, position, intruder, line], how]) =>
    how(sample, position % (sample.length + 1), intruder, line),
  );
  return oneof({ weight: 4, arbitrary: mutated }, string({ unit: 'binary', maxLength: 300 }), bytes);
}

/** Repeated to a length, each is a trap for a pattern that tries again from every position. */
const REPEATED = [
  'a',
  ' ',
  '\n',
  '\r',
  '1 ',
  'a=',
  '"',
  '"\\',
  '\\"',
  '{ ',
  '[',
  '{"children":[',
  ']#',
  'a1: b\n',
  'a\t1\n',
] as const;

/** `length` characters: the beginning of a sample, then one thing again and again, then an end that fits nothing. */
const longText = (sample: string, unit: string, length: number): string =>
  `${sample.slice(0, Math.floor(sample.length / 2))}${unit.repeat(Math.ceil(length / unit.length))}\r.`;

const SMALL = 10_000;
/** Where time grows with the square of the length, a hundred times the text takes ten thousand times as long. */
const STEPS = [
  { times: 10, most: 50 },
  { times: 100, most: 1_000 },
] as const;
/** Below this, clocks and collections of garbage are what is measured. */
const NOISE_MS = 20;

/**
 * What is repeated where reading a hundred times the text takes far more than a hundred times as long; empty when all is well. Small steps
 * first: a trap shows early.
 */
export function quadraticTraps(read: (text: string) => unknown, sample: string): readonly string[] {
  return [...REPEATED, sample].filter((unit) => {
    const milliseconds = (length: number): number => {
      const text = longText(sample, unit, length);
      const start = performance.now();
      read(text);
      return performance.now() - start;
    };
    const small = Math.max(NOISE_MS, Math.min(milliseconds(SMALL), milliseconds(SMALL), milliseconds(SMALL)));
    return STEPS.some(({ times, most }) => milliseconds(SMALL * times) > small * most);
  });
}

/** Numbers that are none, endless, negative or beyond what is counted exactly, however deep. */
export function unsoundNumbers(value: unknown): readonly number[] {
  const open: unknown[] = [value];
  const found: number[] = [];
  while (open.length > 0) {
    const here = open.pop();
    if (typeof here === 'number') {
      if (!(here >= 0 && here <= Number.MAX_SAFE_INTEGER)) found.push(here);
    } else if (here instanceof Map) open.push(...here.keys(), ...here.values());
    else if (Array.isArray(here)) for (const item of here) open.push(item);
    else if (typeof here === 'object' && here !== null) for (const item of Object.values(here)) open.push(item);
  }
  return found;
}

/** That nothing was written where every object would show it. */
export function expectNoPollution(): void {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(PROTOTYPE_KEYS);
  expect({}).not.toHaveProperty('polluted');
}
const PROTOTYPE_KEYS = Reflect.ownKeys(Object.prototype);
