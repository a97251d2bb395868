/**
 * Bundles the workflows once, at build time: workers start faster, and a Node import that reached workflow code fails here
 * instead of crash-looping a worker.
 * @module
 */
import { bundleWorkflowCode } from '@temporalio/worker';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { WORKFLOW_BUNDLE_PATH } from './workflow-bundle-path.js';

const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('./workflows/index.js', import.meta.url)),
});
await writeFile(WORKFLOW_BUNDLE_PATH, code);
process.stderr.write(`workflow bundle: ${Math.round(code.length / 1024)} KiB\n`);
