import { describe, expect, it } from 'vitest';
import { BadOption } from '../lab/tools/options.js';
import { BENCHES, parseOptions } from './options.js';

describe('options of the benchmark', () => {
  it('are everything, five times, when nothing is said', () => {
    expect(parseOptions([])).toEqual({ runs: 5, waiting: 1000, only: BENCHES, json: false, write: null, help: false });
  });

  it('name several benchmarks by saying --only again', () => {
    expect(parseOptions(['--only', 'whole-run', '--only', 'overhead']).only).toEqual(['whole-run', 'overhead']);
  });

  it.each([
    [['--runs', '0'], '--runs 0: a whole number from 1 on is wanted'],
    [['--waiting', '1e3'], '--waiting 1e3: a whole number from 1 on is wanted'],
    [['--only', 'speed'], '--only speed: no such benchmark; there are overhead, whole-run, waiting, memory'],
    [['--fast'], "Unknown option '--fast'"],
  ])('%j is refused with what would be right', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(BadOption);
    expect(() => parseOptions(argv)).toThrow(message);
  });
});
