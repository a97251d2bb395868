/**
 * Servers over SSH.
 * @module
 */
import type { Host, HostProvider } from '../../ports/host.js';
import type { SecretSource } from '../../ports/secrets.js';
import { SSH_LIMITS, type SshLimits } from './limits.js';
import { SshHost } from './ssh-host.js';

export interface HostProviderOptions {
  readonly secrets: SecretSource;
  /** Other than the usual patience; for tests. */
  readonly limits?: Partial<SshLimits>;
}

export function createHostProvider({ secrets, limits = {} }: HostProviderOptions): HostProvider {
  const hosts = new Map<string, SshHost>();
  return {
    get(spec): Host {
      // By login and not by name: a server whose address changed is another connection.
      const id = JSON.stringify([spec.name, spec.ssh]);
      const host = hosts.get(id) ?? new SshHost(spec, secrets, { ...SSH_LIMITS, ...limits });
      hosts.set(id, host);
      return host;
    },
    async close() {
      for (const host of hosts.values()) host.close();
    },
  };
}
export type { SshLimits };
