import { PHASE_NAMES, type PhaseName } from '../domain/run/phases.js';
import { didYouMean } from '../inventory/did-you-mean.js';
import { UsageError } from './exit.js';

/** `--phases preflight,k3s` in the order in which phases run; all of them without the option. */
export function phasesOption(list: string | undefined): readonly PhaseName[] {
  if (list === undefined) return PHASE_NAMES;
  const asked = list.split(',').map((name) => name.trim());
  for (const name of asked) {
    if (!isPhase(name)) {
      const hint = didYouMean(name, PHASE_NAMES);
      throw new UsageError(`--phases: there is no phase "${name}"; expected some of ${PHASE_NAMES.join(',')}${hint}`);
    }
  }
  return PHASE_NAMES.filter((name) => asked.includes(name));
}

function isPhase(name: string): name is PhaseName {
  return PHASE_NAMES.some((known) => known === name);
}
