/**
 * The report of a run as data: what `--json` prints, and what the page is made of. Field names are part of the interface.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import type { Outcome } from '../run/outcomes.js';
import { exitCodeOf, outcomeOf, type RunView } from '../run/view.js';

/** Raised when a field goes away or means something else; new fields may come without. */
export const REPORT_VERSION = 1;

export interface Report extends RunView {
  readonly reportVersion: typeof REPORT_VERSION;
  /** null while it runs, and for a run that was ended from outside. */
  readonly outcome: Outcome | null;
  readonly exit: number;
}

/** What a status of a run that an earlier version began does not say. */
const UNSAID: Pick<RunStatus, 'baseline' | 'versions' | 'artifacts'> = {
  baseline: null,
  versions: null,
  artifacts: [],
};

export function reportOf(view: RunView): Report {
  const status = view.status === null ? null : { ...UNSAID, ...view.status };
  return { reportVersion: REPORT_VERSION, ...view, status, outcome: outcomeOf(view), exit: exitCodeOf(view) };
}
