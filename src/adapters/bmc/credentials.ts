/**
 * The login of a BMC, kept as one secret of the form `user:password`.
 * @module
 */
import type { SecretRef } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import type { SecretSource } from '../../ports/secrets.js';

export interface BmcCredentials {
  readonly user: string;
  /** May itself contain colons. */
  readonly password: string;
}

export async function readCredentials(secrets: SecretSource, ref: SecretRef): Promise<BmcCredentials> {
  const secret = await secrets.read(ref);
  const colon = secret.indexOf(':');
  if (colon < 1 || colon === secret.length - 1) {
    throw new ProvisionError('SecretUnreadable', `the secret ${ref} must have the form user:password`, { ref });
  }
  return { user: secret.slice(0, colon), password: secret.slice(colon + 1) };
}
