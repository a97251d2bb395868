/**
 * One time-skipping server and one workflow bundle for all files of this tier. Skipping is a matter of the whole server, so the files run one after the other.
 * @module
 */
import type { TestProject } from 'vitest/node';
import { startTestServer } from '../../lab/tools/start-test-server.js';
import { bundleWorkflows } from '../support/workflow-bundle.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, bundle] = await Promise.all([startTestServer(), bundleWorkflows()]);
  project.provide('temporalAddress', server.address);
  project.provide('workflowBundle', bundle.codePath);
  return async () => {
    await server.stop();
    await bundle.remove();
  };
}
