/** One workflow bundle for all files of this tier. */
import type { TestProject } from 'vitest/node';
import { bundleWorkflows } from '../support/workflow-bundle.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const bundle = await bundleWorkflows();
  project.provide('workflowBundle', bundle.codePath);
  return () => bundle.remove();
}
