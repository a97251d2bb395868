import { describe, expect, it } from 'vitest';
import { rebootWarnings, type RebootPlan, type RebootPlanFacts } from './plan.js';

const IPMI: RebootPlan['bmc'] = { kind: 'ipmi', tested: true, console: true };

function warnings(
  bmc: RebootPlan['bmc'],
  next = 'BOOT_IMAGE=/vmlinuz ro console=tty0 console=ttyS1,115200n8',
  strategy: RebootPlanFacts['strategy'] = 'known-good',
): readonly string[] {
  return rebootWarnings(bmc, { strategy, commandLine: { now: 'console=ttyS1', next } });
}

describe('what a plan warns of', () => {
  it('is nothing where a BMC reads a console that the kernel writes to', () => {
    expect(warnings(IPMI)).toEqual([]);
    expect(warnings(IPMI, 'console=ttyS0')).toEqual([]);
  });

  it.each(['ro quiet', 'ro console=tty0', 'ro netconsole=ttyS0', 'ro console=ttyS'])(
    'is a kernel that writes to no serial console: %s',
    (next) => {
      expect(warnings(IPMI, next)).toEqual([expect.stringMatching(/^no console=ttyS… on the kernel's command line/)]);
    },
  );

  it('is a console that is not there', () => {
    const expected = ['BMC console unavailable: a hang would leave no screen output'];
    expect(warnings({ kind: 'redfish', tested: true, console: false }, 'ro')).toEqual(expected);
    expect(warnings({ kind: 'ipmi', tested: false, console: false })).toEqual(expected);
  });

  it('is a host that nobody reaches when it hangs, and one that does not fall back', () => {
    expect(warnings({ kind: 'none', tested: false, console: false }, 'ro', 'direct')).toEqual([
      expect.stringMatching(/^BMC console unavailable/),
      expect.stringMatching(/^no BMC/),
      expect.stringMatching(/^direct strategy/),
    ]);
  });
});
