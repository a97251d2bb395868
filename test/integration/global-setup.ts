/**
 * One Temporal dev server and one workflow bundle for all files of this tier; task queues and workflow ids keep the files apart.
 * @module
 */
import type { TestProject } from 'vitest/node';
import { startTemporal } from '../../lab/tools/start-temporal.js';
import { bundleWorkflows } from '../support/workflow-bundle.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, bundle] = await Promise.all([startTemporal(), bundleWorkflows()]);
  project.provide('temporalAddress', server.address);
  project.provide('workflowBundle', bundle.codePath);
  return async () => {
    await server.stop();
    await bundle.remove();
  };
}
