/**
 * What a run did to its host, counted on the host.
 * @module
 */
import type { SimulatedHost } from '../../../lab/rack/index.js';
import { LEDGER_DIR } from '../../../src/domain/host-layout.js';

const PROGRAMS = {
  'apt-get install': /^apt-get .*\binstall\b/,
  'update-initramfs': /^update-initramfs -u/,
  'update-grub': /^update-grub/,
} as const;

export type Effects = Readonly<Record<keyof typeof PROGRAMS | 'reboots' | 'boots' | 'ledger entries', number>>;

/** Of a run that nothing disturbs, GPU isolation with what it needs; other tests of this tier hold the figures. */
export const UNDISTURBED: Effects = {
  reboots: 1,
  boots: 1,
  'apt-get install': 1,
  'update-initramfs': 2,
  'update-grub': 1,
  'ledger entries': 21,
};
/** Of a run that is undone after its trial: its ledger is set aside, and what it rebuilds depends on which images are as they were. */
export const UNDONE: Partial<Effects> = { reboots: 2, boots: 2, 'apt-get install': 1 };

/** The same, where each of `crashes` may have made one program run once more than expected: a step that had begun is repeated. */
export function withoutRepetitions(effects: Effects, expected: Effects, crashes: number): Effects {
  const forgiven = Object.keys(PROGRAMS).flatMap((name) => {
    const program = name as keyof typeof PROGRAMS;
    const more = effects[program] - expected[program];
    return more >= 0 && more <= crashes ? [[program, expected[program]] as const] : [];
  });
  return { ...effects, ...Object.fromEntries(forgiven) };
}

export function effectsOn(host: SimulatedHost): Effects {
  const ran = host.programs();
  const count = (what: keyof typeof PROGRAMS): number => ran.filter((line) => PROGRAMS[what].test(line)).length;
  return {
    reboots: host.rebootRequests.length,
    boots: host.boots.length - 1,
    'apt-get install': count('apt-get install'),
    'update-initramfs': count('update-initramfs'),
    'update-grub': count('update-grub'),
    'ledger entries': host.snapshot([`${LEDGER_DIR}/entries`]).size,
  };
}
