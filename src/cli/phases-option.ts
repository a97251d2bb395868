import { PHASE_NAMES, type PhaseName } from '../domain/run/phases.js';
import { didYouMean } from '../inventory/did-you-mean.js';
import { UsageError } from './exit.js';

/** `--phases preflight,k3s` in the order in which phases run; all that there are for the command without the option. */
export function phasesOption(
  list: string | undefined,
  there: readonly PhaseName[] = PHASE_NAMES,
): readonly PhaseName[] {
  if (list === undefined) return there;
  const asked = list.split(',').map((name) => name.trim());
  for (const name of asked) {
    if (!there.some((known) => known === name)) {
      const hint = didYouMean(name, there);
      throw new UsageError(`--phases: there is no phase "${name}"; expected some of ${there.join(',')}${hint}`);
    }
  }
  return there.filter((name) => asked.includes(name));
}
