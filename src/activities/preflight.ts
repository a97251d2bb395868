/**
 * Phase 1: reads the facts of the host and judges them. Changes nothing, also when it blocks.
 * @module
 */
import { plural } from '../domain/preflight/check.js';
import { judge, type PreflightReport } from '../domain/preflight/checks.js';
import type { StepResult } from '../domain/run/steps.js';
import { ProvisionError } from '../ports/failure.js';
import type { PhaseSteps, StepContext } from './define-step.js';
import { readHostFacts } from './host/facts.js';
import { readLedgerState } from './host/ledger.js';
import { notedBaseline } from './host/open-ledger.js';

/** Facts, verdicts and the baseline that later phases compare with. */
export async function preflight(ctx: StepContext): Promise<PreflightReport> {
  const facts = await readHostFacts(ctx);
  const report = judge(facts, ctx.spec);
  if (facts.ledger.state !== 'open') return report;
  // A run that was lost may have left GPUs on vfio-pci. How the host was before it, only its ledger knows.
  const noted = (await readLedgerState(ctx.host))?.state === 'open' ? await notedBaseline(ctx.host) : null;
  return noted === null ? report : { ...report, baseline: noted };
}

async function check(ctx: StepContext): Promise<Omit<StepResult, 'changed'>> {
  const report = await preflight(ctx);
  const blocking = report.checks.filter((found) => found.severity === 'block');
  if (blocking.length > 0) {
    throw new ProvisionError(
      'Blocked',
      `${plural(blocking.length, 'check blocks', 'checks block')}: ${blocking.map((found) => `${found.id} (${found.text})`).join('; ')}`,
      { checks: blocking },
    );
  }
  const warnings = report.warns === 0 ? '' : `, ${plural(report.warns, 'warning')}`;
  return { summary: `${report.checks.length} checks${warnings}`, facts: { ...report } };
}

export const preflightSteps = {
  'preflight.check': { check, apply: async () => {}, verify: check },
} satisfies PhaseSteps<'preflight'>;
