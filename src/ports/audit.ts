/**
 * What was done to which server, by whom: kept for longer than Temporal keeps a run.
 * @module
 */
import type { AuditEntry } from '../domain/run/announcement.js';

export interface AuditLog {
  /** Returns when the entry is on the disk. Throws the platform's error when it cannot be written: full, read-only, forbidden. */
  append(entry: AuditEntry): Promise<void>;
}
