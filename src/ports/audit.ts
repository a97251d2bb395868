/**
 * What was done to which server, by whom: kept for longer than Temporal keeps a run.
 * @module
 */

/** One moment of a run. No secrets. */
export interface AuditEntry {
  /** `RUN:NUMBER`. A line may be written twice, by a retry: the same id is the same moment. */
  readonly id: string;
  /** ISO 8601, the run's clock. */
  readonly at: string;
  readonly run: string;
  readonly server: string;
  readonly site: string;
  /** Short stable word: `started`, `gate`, `decision`, `reboot`, `power-cycle`, `outcome`. */
  readonly what: string;
  /** As asserted, `op-a@ops1`; null for what nobody decided. */
  readonly who: string | null;
  /** Of the plan it is about, `7f3a-91c2`. */
  readonly digest: string | null;
  /** One line for people. */
  readonly text: string;
}

export interface AuditLog {
  /** Returns when the entry is on the disk. Throws the platform's error when it cannot be written: full, read-only, forbidden. */
  append(entry: AuditEntry): Promise<void>;
}
