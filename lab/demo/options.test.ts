import { describe, expect, it } from 'vitest';
import { DEMO_FAULTS } from './faults.js';
import { parseOptions } from './options.js';

describe('the options of the demo', () => {
  it('are all off when nothing is said', () => {
    expect(parseOptions([])).toEqual({
      yes: false,
      exit: false,
      json: false,
      listFaults: false,
      help: false,
      fault: null,
    });
  });

  it('find a fault by its name', () => {
    const { fault, yes } = parseOptions(['--fault', 'kernel-panic', '--yes']);
    expect(fault?.name).toBe('kernel-panic');
    expect(yes).toBe(true);
  });

  it.each([
    [['--fault', 'earthquake'], '--fault earthquake: no such fault; there are gpu-clings-to-native-driver, '],
    [['--fast'], "Unknown option '--fast'"],
    [['h100-02'], "Unexpected argument 'h100-02'"],
  ])('refuse %s with what would be right', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(message);
  });
});

describe('the faults of the demo', () => {
  it('have different names, a line that fits a terminal, and something that they do', () => {
    expect(new Set(DEMO_FAULTS.map(({ name }) => name)).size).toBe(DEMO_FAULTS.length);
    for (const { name, summary, rules, before, whenAsked, killsWorker } of DEMO_FAULTS) {
      expect(name).toMatch(/^[a-z-]+$/);
      expect(name.length + summary.length).toBeLessThan(125);
      expect([rules, before, whenAsked, killsWorker].filter((does) => does !== undefined)).not.toEqual([]);
    }
  });
});
