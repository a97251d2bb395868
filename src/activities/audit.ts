/**
 * Writes lines of the audit record, one after the other.
 * @module
 */
import type { AuditInput } from '../domain/run/announcement.js';
import type { AuditLog } from '../ports/audit.js';
import { ProvisionError } from '../ports/failure.js';
import { reporting } from './define-step.js';

export interface AuditActivities {
  /** Returns when all of them are on the disk. A retry may write some again. */
  'audit.append'(input: AuditInput): Promise<void>;
}

/** `log` null: this worker keeps none. */
export function auditActivities(log: AuditLog | null): AuditActivities {
  return {
    'audit.append': ({ entries }) =>
      reporting(async () => {
        if (log === null) return;
        try {
          for (const entry of entries) await log.append(entry);
        } catch (error) {
          throw new ProvisionError('AuditUnwritable', error instanceof Error ? error.message : String(error));
        }
      }),
  };
}
