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

/**
 * A host is reached, but has no connection to an address that it was asked for. Not in the failure table: what it means depends on what
 * was to be there.
 */
export class AddressUnreachable extends Error {
  override readonly name = 'AddressUnreachable';
}
