/**
 * What must be there around a run: Temporal, workers, the inventory and its keys, the way to a server.
 * @module
 */
import type { CheckResult } from './preflight.js';
import { EXIT, OUTCOMES } from './run/outcomes.js';

/** `block`: no run gets far without it. */
export type Diagnosis = Omit<CheckResult, 'evidence'> & { readonly id: DiagnosisId };

/** The exit code of what is missing, by the table that all commands share. */
export const DIAGNOSES = {
  'temporal.connection': EXIT.unreachable,
  'temporal.search-attributes': EXIT.unreachable,
  'worker.workflows': EXIT.unreachable,
  'worker.site': EXIT.unreachable,
  'worker.version': EXIT.unreachable,
  inventory: EXIT.badInput,
  secrets: EXIT.badInput,
  'ssh.login': OUTCOMES.refused.exit,
  'host.clock': OUTCOMES.refused.exit,
  'bmc.login': OUTCOMES.refused.exit,
} as const satisfies Record<string, number>;

export type DiagnosisId = keyof typeof DIAGNOSES;

export const fine = (id: DiagnosisId, text: string): Diagnosis => ({ id, severity: 'ok', text, remedy: '' });
export const warned = (id: DiagnosisId, text: string, remedy: string): Diagnosis => ({
  id,
  severity: 'warn',
  text,
  remedy,
});
export const broken = (id: DiagnosisId, text: string, remedy: string): Diagnosis => ({
  id,
  severity: 'block',
  text,
  remedy,
});

/** Of the first that blocks; 0 when none does. */
export function doctorExit(diagnoses: readonly Diagnosis[]): number {
  const first = diagnoses.find(({ severity }) => severity === 'block');
  return first === undefined ? EXIT.done : DIAGNOSES[first.id];
}

/** More makes times in logs and journals misleading, and certificates of k3s invalid at first. */
const CLOCK_TOLERANCE_MS = 5_000;

/**
 * The host looked at its clock at some moment between our two looks at ours, which are in milliseconds.
 * @param printed whole seconds since 1970, as `date +%s` prints them.
 */
export function clockDiagnosis(printed: string, asked: number, answered: number): Diagnosis {
  const id = 'host.clock';
  if (!/^\d{9,11}$/.test(printed.trim())) return warned(id, 'the host does not say what time it is', 'look at: date');
  const earliest = Number(printed) * 1_000;
  const latest = earliest + 999;
  const off = latest < asked ? latest - asked : Math.max(0, earliest - answered);
  if (Math.abs(off) <= CLOCK_TOLERANCE_MS) return fine(id, 'as the one here, within 5 s');
  const seconds = Math.round(Math.abs(off) / 1_000);
  return warned(
    id,
    `${seconds} s ${off < 0 ? 'behind' : 'ahead of'} the one here`,
    'timedatectl set-ntp true, where it is wrong',
  );
}
