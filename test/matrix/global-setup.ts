/**
 * One Temporal dev server for the cells that do not kill theirs, and the workflows with times for tests.
 * @module
 */
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startTemporal } from '../../lab/tools/start-temporal.js';
import type { PhaseName } from '../../src/domain/run/phases.js';
import { bundleWorkflows } from '../support/workflow-bundle.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whose steps the project's lanes are about. */
    matrixPhase: PhaseName;
  }
}

const SHORT_TIMES = fileURLToPath(new URL('./short-times.ts', import.meta.url));

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, bundle] = await Promise.all([startTemporal(), bundleWorkflows([SHORT_TIMES])]);
  project.provide('temporalAddress', server.address);
  project.provide('workflowBundle', bundle.codePath);
  return async () => {
    await server.stop();
    await bundle.remove();
  };
}
