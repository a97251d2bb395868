import type { SecretRef } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';

/** Larger than any key or token; a reference to a log or a device by mistake must not fill the memory. */
export const MAX_SECRET_BYTES = 64 * 1024;
export const TOO_LARGE = `is larger than ${MAX_SECRET_BYTES / 1024} KiB`;

/** Names the reference only. Carries no cause: the errors of readers quote paths and may quote content. */
export function unreadable(ref: SecretRef | '(not shown)', what: string): ProvisionError {
  return new ProvisionError('SecretUnreadable', `the secret ${ref} ${what}`, { ref });
}
