import type { FailureType } from '../domain/run/failures.js';

/** What hosts and BMCs said is quoted in messages, and every attempt's failure is kept. */
const MESSAGE_LIMIT = 2_000;

/**
 * Thrown by adapters and activities for everything in the failure table. Activities turn it into an ApplicationFailure of
 * the same type. Any other exception is a bug.
 */
export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';

  constructor(
    readonly type: FailureType,
    /** What happened, what was expected. No secrets. Cut at 2,000 characters. */
    message: string,
    /** Evidence for the report: small, JSON, no secrets. */
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message.length > MESSAGE_LIMIT ? `${message.slice(0, MESSAGE_LIMIT)}…` : message, options);
  }
}

/**
 * A host is reached, but has no connection to an address that it was asked for. Not in the failure table: what it means depends on what
 * was to be there.
 */
export class AddressUnreachable extends Error {
  override readonly name = 'AddressUnreachable';
}
