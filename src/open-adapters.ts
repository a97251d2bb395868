/**
 * The outside world over real adapters, for activities and for commands that look at a server by themselves.
 * @module
 */
import type { Adapters } from './activities/define-step.js';
import { createBmcProvider } from './adapters/bmc/index.js';
import { createClusterProvider } from './adapters/kubernetes/index.js';
import { createSecretSource, redactor, type SecretSourceOptions } from './adapters/secrets/index.js';
import { createHostProvider } from './adapters/ssh/index.js';

export interface OpenAdapters {
  readonly adapters: Adapters;
  /** Closes every connection. */
  readonly close: () => Promise<void>;
}

/** `warn` is called once for each secret that is kept carelessly. */
export function openAdapters({
  artifacts = null,
  ...options
}: Pick<SecretSourceOptions, 'env' | 'warn'> & Partial<Pick<Adapters, 'artifacts'>>): OpenAdapters {
  const secrets = createSecretSource(options);
  const hosts = createHostProvider({ secrets });
  const clusters = createClusterProvider({ hosts });
  return {
    adapters: {
      secrets,
      hosts,
      clusters,
      bmcs: createBmcProvider({ secrets }),
      artifacts,
      redact: (text) => redactor.text(text),
    },
    close: async () => {
      await clusters.close();
      await hosts.close();
    },
  };
}
