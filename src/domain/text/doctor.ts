/**
 * `gpu-provision doctor`: a line for each check, and what to do.
 * @module
 */
import { type Diagnosis, doctorExit } from '../doctor.js';
import { spread } from './layout.js';
import { checkRows } from './preflight.js';
import { count } from './words.js';

const WORDS = { ok: 'ok   ', warn: 'warn ', block: 'FAIL ' };

/** Columns of `temporal.search-attributes`, the longest. */
const ID_COLUMNS = 26;

export function renderDoctor(diagnoses: readonly Diagnosis[], width: number): string[] {
  const failed = diagnoses.filter(({ severity }) => severity === 'block').length;
  const verdict = failed === 0 ? 'Nothing fails.' : `${count(failed, 'check fails', 'checks fail')}.`;
  return [
    ...diagnoses.flatMap((diagnosis) => checkRows(diagnosis, width, WORDS, ID_COLUMNS)),
    '',
    ...spread(verdict, `exit ${doctorExit(diagnoses)}`, width),
  ];
}
