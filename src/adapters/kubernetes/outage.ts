/**
 * Since when an API gives no usable answer. It outlives the clients, of which every broken one is replaced, and is this worker's own
 * knowledge: another worker counts from its own first failure.
 * @module
 */
import type { FailureType } from '../../domain/run/failures.js';
import { ProvisionError } from '../../ports/failure.js';

/** What only an API that works can say. Failures of SSH say nothing about it. */
const ANSWERS: readonly FailureType[] = ['NotReadyYet', 'ClusterConflict', 'ClusterRefused'];

export class Outage {
  private since: string | null = null;

  end(): void {
    this.since = null;
  }

  /** The error of a call, with the time of the first in a row when the API is unreachable. */
  dated(error: unknown): unknown {
    if (!(error instanceof ProvisionError)) return error;
    const { type, message, details, cause } = error;
    if (ANSWERS.includes(type)) this.end();
    if (type !== 'ClusterUnreachable') return error;
    this.since ??= new Date().toISOString();
    return new ProvisionError(type, `${message} (since ${this.since})`, { ...details, since: this.since }, { cause });
  }
}
