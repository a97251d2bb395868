import type { SecretRef } from '../domain/spec.js';

export interface SecretSource {
  /** The secret's text with one trailing newline removed. Throws ProvisionError SecretUnreadable naming the reference only. */
  read(ref: SecretRef): Promise<string>;
}
