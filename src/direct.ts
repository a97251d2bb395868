/**
 * Looks at a server from this machine, without Temporal and without a worker. Reads only, by the code that the activities use.
 * @module
 */
import { stepContext } from './activities/define-step.js';
import { preflight } from './activities/preflight.js';
import { ClientError } from './client/client-error.js';
import type { PreflightReport } from './domain/preflight/checks.js';
import type { ServerSpec } from './domain/spec.js';
import { openAdapters } from './open-adapters.js';
import { ProvisionError } from './ports/failure.js';

export interface DirectOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stops looking. */
  readonly signal: AbortSignal;
  /** Called once for each secret that is kept carelessly. */
  readonly warn: (text: string) => void;
}

/** Phase 1 as a run would have it. Throws ClientError `refused` when the host cannot be read. */
export async function preflightDirectly(spec: ServerSpec, options: DirectOptions): Promise<PreflightReport> {
  const { adapters, close } = openAdapters(options);
  try {
    const run = { id: 'preflight', epoch: 0 };
    return await preflight(stepContext(adapters, { spec, run }, { ...options, heartbeat: () => undefined }));
  } catch (error) {
    throw error instanceof ProvisionError ? new ClientError('refused', error.message, { cause: error }) : error;
  } finally {
    await close();
  }
}
