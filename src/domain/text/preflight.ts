/**
 * What preflight found: of a plan the findings, of `gpu-provision preflight` every check.
 * @module
 */
import type { CheckResult, CheckSeverity, HostFactsSummary } from '../preflight.js';
import { OUTCOMES } from '../run/outcomes.js';
import { hang, packed, spread } from './layout.js';
import { duration } from './times.js';
import { count } from './words.js';

/** One host that was read. */
export interface CheckedHost {
  readonly server: string;
  readonly address: string;
  readonly host: HostFactsSummary;
  readonly checks: readonly CheckResult[];
}

export function isBlocked({ checks }: Pick<CheckedHost, 'checks'>): boolean {
  return checks.some(({ severity }) => severity === 'block');
}

export function checksExit(of: Pick<CheckedHost, 'checks'>): number {
  return isBlocked(of) ? OUTCOMES.refused.exit : 0;
}

export function renderPreflight(report: CheckedHost, width: number): string[] {
  const { checks } = report;
  return [
    ...hostLines(report, width),
    '',
    ...checksInShort(checks, width),
    ...checks.filter(({ severity }) => severity === 'ok').flatMap((check) => checkRows(check, width)),
    '',
    ...spread(`${checksVerdict(checks)} Nothing was changed.`, `exit ${checksExit(report)}`, width),
  ];
}

export function hostLines({ server, address, host }: Omit<CheckedHost, 'checks'>, width: number): string[] {
  const agrees = { true: ' (SSH and BMC agree)', false: ' (SSH and BMC DISAGREE)', null: ' (no BMC to compare with)' };
  const facts = [
    `serial ${host.serial}${agrees[`${host.bmcAgrees}`]}`,
    address,
    host.os,
    host.kernel,
    `up ${duration(host.uptimeSeconds)}`,
  ];
  return packed(facts, `${server}   `, width);
}

/** How many, and what is wrong. */
export function checksInShort(checks: readonly CheckResult[], width: number): string[] {
  const of = (severity: CheckSeverity): CheckResult[] => checks.filter((check) => check.severity === severity);
  const figures = [
    `${of('ok').length} ok`,
    of('warn').length > 0 ? count(of('warn').length, 'warning') : null,
    of('block').length > 0 ? `${of('block').length} BLOCK${of('block').length === 1 ? 'S' : ''}` : null,
  ];
  return [
    `PREFLIGHT  ${count(checks.length, 'check')}: ${figures.filter((figure) => figure !== null).join(', ')}`,
    ...[...of('block'), ...of('warn')].flatMap((check) => checkRows(check, width)),
  ];
}

export function checksVerdict(checks: readonly CheckResult[]): string {
  const blocking = checks.filter(({ severity }) => severity === 'block').length;
  return blocking === 0 ? 'Nothing blocks.' : `${count(blocking, 'check')} ${blocking === 1 ? 'blocks' : 'block'}.`;
}

/** Columns of `  BLOCK workloads.vm       `. */
const CHECK_ID_COLUMNS = 18;
const WORDS: Readonly<Record<CheckSeverity, string>> = { ok: 'ok   ', warn: 'warn ', block: 'BLOCK' };

export function checkRows(
  check: Omit<CheckResult, 'evidence'>,
  width: number,
  words = WORDS,
  idColumns = CHECK_ID_COLUMNS,
): string[] {
  const prefix = `  ${words[check.severity]} ${check.id.padEnd(idColumns)}`;
  const further = ' '.repeat(prefix.length);
  return [
    ...hang(`${prefix}${prefix.endsWith(' ') ? '' : ' '}`, check.text, width, further),
    ...(check.remedy === '' ? [] : hang(further, check.remedy, width)),
  ];
}
