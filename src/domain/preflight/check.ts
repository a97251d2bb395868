/**
 * A check is a row: what it looks at, what it means when it fails, and what to do then. Pure, so that each is tried on a good and on a bad host.
 * @module
 */
import type { CheckResult } from '../preflight.js';
import type { ServerSpec } from '../spec.js';
import type { HostFacts } from './facts.js';

export interface Finding {
  readonly ok: boolean;
  /** What was found, one line. */
  readonly text: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

export type FailureSeverity = 'warn' | 'block';

export interface Check {
  /** Stable, `area.check`. */
  readonly id: string;
  /** What a failure means: block when the run could harm the host, or could not undo itself. */
  readonly fails: FailureSeverity | ((facts: HostFacts, spec: ServerSpec) => FailureSeverity);
  /** Matters only because the host will be rebooted: on a host that is isolated already it is not held against it. */
  readonly forReboot?: boolean;
  readonly evaluate: (facts: HostFacts, spec: ServerSpec) => Finding;
  readonly remedy: string | ((facts: HostFacts, spec: ServerSpec) => string);
}

export const good = (text: string, evidence: Finding['evidence'] = {}): Finding => ({ ok: true, text, evidence });
export const bad = (text: string, evidence: Finding['evidence'] = {}): Finding => ({ ok: false, text, evidence });

/** Names of at most three, and how many more: a line must stay a line. */
export function listed(items: readonly string[]): string {
  const shown = items.slice(0, 3).join(', ');
  return items.length > 3 ? `${shown} and ${items.length - 3} more` : shown;
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** The whole table travels through the workflow's history; a check that lists hundreds of things must not fill it. */
const TEXT_LIMIT = 240;
const EVIDENCE_LIMIT = 300;

/** Judges a host by a table of checks. `isolated`: the host is on vfio-pci already and needs no reboot. */
export function runChecks(
  checks: readonly Check[],
  facts: HostFacts,
  spec: ServerSpec,
  isolated: boolean,
): readonly CheckResult[] {
  return checks.map((check): CheckResult => {
    const finding = check.evaluate(facts, spec);
    const result = { id: check.id, evidence: bounded(finding.evidence) };
    if (finding.ok) return { ...result, severity: 'ok', text: cut(finding.text), remedy: '' };
    if (isolated && check.forReboot === true)
      return { ...result, severity: 'ok', text: cut(`${finding.text}; no reboot is needed`), remedy: '' };
    return {
      ...result,
      severity: typeof check.fails === 'function' ? check.fails(facts, spec) : check.fails,
      text: cut(finding.text),
      remedy: typeof check.remedy === 'function' ? check.remedy(facts, spec) : check.remedy,
    };
  });
}

const cut = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > TEXT_LIMIT ? `${line.slice(0, TEXT_LIMIT - 1)}…` : line;
};

function bounded(evidence: Finding['evidence']): Finding['evidence'] {
  const json = JSON.stringify(evidence);
  return json.length <= EVIDENCE_LIMIT ? evidence : { cut: json.slice(0, EVIDENCE_LIMIT) };
}
