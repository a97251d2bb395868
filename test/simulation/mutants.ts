/**
 * Invariants broken on purpose, to see that the simulation notices. Most are patches of the workflow code as it is bundled; guards that live
 * in activities are switches of the modelled host, which name what they stand for.
 * @module
 */
import type { Guards } from '../workflow/world.js';
import type { Draw } from './campaign.js';
import { rebootScheduleOf, upgradeScheduleOf } from './schedule.js';

export interface Mutant {
  readonly what: string;
  /** Each must match the bundle exactly once. */
  readonly patches?: readonly (readonly [was: RegExp, becomes: string])[];
  readonly guards?: Partial<Guards>;
  /** Of the runs that notice; those that provision where left out. */
  readonly draw?: Draw;
}

export const MUTANTS: readonly Mutant[] = [
  { what: 'the host reboots whatever boot it is in', guards: { bootId: false } },
  { what: 'compensation does not wait for units', guards: { drain: false } },
  {
    what: 'the digest is ignored, so that what drifted counts as approved',
    patches: [[/return now\.digest === plan\.digest;/, 'return true;']],
  },
  {
    what: 'the ladder goes on by what was seen before its deadline',
    guards: { freshProbes: false },
    patches: [
      [
        /const fresh = await \S+look\)\(run, input\);\s+if \(answers\(fresh\)\)\s+return conclude\(run, fresh\);/,
        "const fresh = { evidence: 'nobody looked' };",
      ],
    ],
  },
  { what: 'undo takes away what the ledger does not own', guards: { ledger: false } },
  {
    what: 'an undo is registered after its step',
    patches: [
      [
        /(if \(step\.undo && !this\.undos\.includes\(step\)\)\s+this\.undos\.unshift\(step\);)\s+return (runStep\(this\.run, step, details\));/,
        'const result = await $2; $1 return result;',
      ],
    ],
  },
  {
    what: 'nobody waits for the end of an activity that is cancelled',
    patches: [[/cancellationType: 'WAIT_CANCELLATION_COMPLETED',(\s+retry: )/, "cancellationType: 'TRY_CANCEL',$1"]],
  },
  {
    what: 'compensation can be cancelled',
    patches: [
      [
        /await \S+\.CancellationScope\.nonCancellable\((\(\)\s*=>\s*\S+\.restoreHost\)\(run, staged\))\);(\s+run\.setPhase\('gpu-isolation', 'undone')/,
        'await ($1)();$2',
      ],
    ],
  },
  {
    what: 'a reboot whose answer was lost is asked for again, of whatever boot runs',
    patches: [
      [
        /if \(!asked\)\s+run\.event\('reboot', 'the host is in another boot already'\);([\s\S]*?)(\(0,_rungs_js__WEBPACK_IMPORTED_MODULE_\d+__\.look\))/,
        'if (!asked) await ask(run, request, { ...input, oldBootId: (await $2(run, input)).bootId });$1$2',
      ],
    ],
  },
  {
    what: 'a phase is undone while the unit of its step still runs',
    patches: [[/if \(!saga\.isEmpty\)\s+await \S+\.takeOver\)\(run\);/, '']],
  },
  {
    what: 'a reboot that is given up ends in the trial that failed its proof',
    draw: rebootScheduleOf,
    patches: [
      [
        /(const isProven = \(\{ kind \}, \{ defaultIsNew \}\)\s*=>\s*)kind === 'fell-back' \|\| \(?kind === 'default' && !defaultIsNew\)?;/,
        '$1true;',
      ],
    ],
  },
  {
    what: 'a reboot that is given up leaves known-good the default where it was not',
    draw: rebootScheduleOf,
    patches: [[/await \S+\.call\)\('commit\.make-default', step, [^;]+;/, '']],
  },
  {
    what: 'a newer kernel is installed while the proven entry is the default',
    draw: upgradeScheduleOf,
    patches: [
      [
        /if \(knownGood !== undefined\)\s+(await \S+\.runStep\)\(run, knownGood\);)\s+await between\(\);/,
        'await between(); $1',
      ],
    ],
  },
  {
    what: 'a boot of a newer kernel from the menu is taken for one that was proven',
    draw: upgradeScheduleOf,
    patches: [[/attempts\.defaultIsNew = true;/, '']],
  },
  {
    what: 'a newer kernel that failed stays installed',
    draw: upgradeScheduleOf,
    patches: [[/const said = await \S+\.call\)\('upgrade\.remove', [^;]+;/, "const said = 'forgotten';"]],
  },
];

/** Throws when the code is not what the patch was written for. */
export function mutated(bundle: string, { what, patches = [] }: Mutant): string {
  return patches.reduce((code, [was, becomes]) => {
    const found = code.match(new RegExp(was, 'g'))?.length ?? 0;
    if (found !== 1) throw new Error(`mutant "${what}": ${String(was)} matches ${found} times, not once`);
    return code.replace(was, becomes);
  }, bundle);
}
