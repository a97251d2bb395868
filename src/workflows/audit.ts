/**
 * The audit record from the workflow's side: one line after the other, in the order of the run. Nothing waits for it, and it waits for nobody
 * who is told by other ways.
 * @module
 */
import { CancellationScope, condition } from '@temporalio/workflow';
import type { Moment } from '../domain/run/announcement.js';
import { auditEntryOf } from '../domain/text/announcement.js';
import { call } from './act.js';
import { secondsOf } from './durations.js';
import { reportFailure, rethrowBug } from './failure.js';
import { increase } from './metrics.js';
import type { Run } from './run.js';

/** As the run is at this moment. Cancelling the run does not take it back. */
export function record(run: Run, moment: Moment): void {
  if (run.input.audit !== true) return;
  run.recorded += 1;
  run.unwritten.push(auditEntryOf(run.status(), moment, run.recorded));
  if (run.unwritten.length === 1) void CancellationScope.nonCancellable(() => write(run));
}

/** What waits, and what is added meanwhile. Those that are written leave the list only then, so there is one writer. */
async function write(run: Run): Promise<void> {
  let delayed = false;
  while (run.unwritten.length > 0) {
    const entries = [...run.unwritten];
    const summary = `record: ${entries.map(({ what }) => what).join(', ')}`;
    try {
      await call('audit.append', { entries }, { site: run.site, policy: delayed ? 'audit-again' : 'audit', summary });
      run.unwritten.splice(0, entries.length);
      increase('gpu_provision_audit_lines_total', { site: run.site, result: 'written' }, entries.length);
      if (delayed) run.event('audit', `the audit record is written again, ${entries.length} lines late`);
      delayed = false;
    } catch (error) {
      rethrowBug(error);
      increase('gpu_provision_audit_lines_total', { site: run.site, result: 'delayed' }, entries.length);
      if (!delayed) run.event('audit', `the audit record waits: ${reportFailure(error, null, null).message}`);
      delayed = true;
    }
  }
}

/** Before the run closes, which ends what is still being written. Bounded. Call in a non-cancellable scope. */
export async function lastAuditLines(run: Run): Promise<void> {
  if (run.unwritten.length === 0) return;
  const summary = 'give up what could not be recorded';
  if (await condition(() => run.unwritten.length === 0, secondsOf.lastAuditLines * 1_000, { summary })) return;
  increase('gpu_provision_audit_lines_total', { site: run.site, result: 'lost' }, run.unwritten.length);
  run.event(
    'audit',
    `the run ends with ${run.unwritten.length} of ${run.recorded} lines of the audit record not written`,
  );
}
