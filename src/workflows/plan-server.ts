/**
 * The read-only plan behind `--dry-run`: nothing is claimed, nothing is written.
 * @module
 */
import { workflowInfo } from '@temporalio/workflow';
import type { PlanPreview } from '../domain/preflight.js';
import type { ServerSpec } from '../domain/spec.js';
import { call } from './act.js';

export async function planServer(input: { readonly spec: ServerSpec }): Promise<PlanPreview> {
  const run = { id: workflowInfo().runId, epoch: 0 };
  return call(
    'plan.preview',
    { spec: input.spec, run },
    { site: input.spec.site, policy: 'read', summary: 'preflight, and what every step would change' },
  );
}
