/**
 * Drift: whether what runs have made on a server is still so. One item for each thing that was looked at.
 * @module
 */
import type { PhaseName } from './run/phases.js';
import type { ServerSpec } from './spec.js';
import type { TruthTable } from './gpu/truth-table.js';

export interface VerifyInput {
  readonly spec: ServerSpec;
  /** Phases whose work is looked at. */
  readonly phases: readonly PhaseName[];
}

/** Phases that leave something to look at; acceptance takes its job away again. */
export const VERIFIED_PHASES = [
  'node-preparation',
  'k3s',
  'gpu-isolation',
  'cozystack',
  'kubevirt',
  'nested-cluster',
] as const satisfies readonly PhaseName[];

export interface VerifyItem {
  /** `boot.file`, `device`, or the name of a step. */
  readonly id: string;
  /** unknown: it could not be read, which is no better than drift. */
  readonly state: 'ok' | 'drift' | 'unknown';
  /** What was found, and what was expected where that differs. */
  readonly text: string;
  /** What to do; empty where all is well. */
  readonly remedy: string;
}

/** busy: a run holds the host, so that what differs may be its work. Nothing is claimed then. */
export type Verdict = 'ok' | 'drift' | 'busy';

export interface VerifyReport {
  readonly server: string;
  readonly cluster: string;
  /** ISO 8601. */
  readonly at: string;
  readonly verdict: Verdict;
  /** The run that holds the host, where one does. */
  readonly holder: string | null;
  readonly items: readonly VerifyItem[];
}

/** A way to look at a server at intervals. */
export interface VerifySchedule {
  readonly scheduleId: string;
  readonly everySeconds: number;
  /** ISO 8601. */
  readonly next: string | null;
}

export const ok = (id: string, text: string): VerifyItem => ({ id, state: 'ok', text, remedy: '' });
export const drift = (id: string, text: string, remedy: string): VerifyItem => ({ id, state: 'drift', text, remedy });

export const verdictOf = (items: readonly VerifyItem[]): Verdict =>
  items.every(({ state }) => state === 'ok') ? 'ok' : 'drift';

const DEVICE_REMEDY =
  'keep new VMs off the node; a GPU that left vfio-pci while nothing was changed is put back by the next boot';

/** One item for each planned GPU, and one for each problem that is not about a single one. */
export function deviceItems(table: TruthTable): readonly VerifyItem[] {
  const ofRows = new Set<string>();
  const rows = table.rows.map(({ address, ok: good, cells }) => {
    const problems = table.problems.filter((problem) => problem.startsWith(`${address}: `));
    for (const problem of problems) ofRows.add(problem);
    const summary = cells.map(({ fact, value }) => `${fact} ${value}`).join(', ');
    return good ? ok('device', `${address}: ${summary}`) : drift('device', problems.join('; '), DEVICE_REMEDY);
  });
  const others = table.problems.filter((problem) => !ofRows.has(problem));
  return [...rows, ...others.map((problem) => drift('device.host', problem, 'look into it on the host'))];
}
