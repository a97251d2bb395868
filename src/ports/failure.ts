import type { FailureType } from '../domain/run/failures.js';

/**
 * Thrown by adapters and activities for everything in the failure table. Activities turn it into an ApplicationFailure of
 * the same type. Any other exception is a bug.
 */
export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';

  constructor(
    readonly type: FailureType,
    /** What happened, what was expected. No secrets. */
    message: string,
    /** Evidence for the report: small, JSON, no secrets. */
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
