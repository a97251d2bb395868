/**
 * Bundles the workflows once, at build time: workers start faster, and a Node import that reached workflow code fails here
 * instead of crash-looping a worker.
 * @module
 */
import { bundleWorkflowCode } from '@temporalio/worker';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { FAILURE_CONVERTER_PATH } from './codec/data-converter.js';
import { WORKFLOW_BUNDLE_PATHS } from './workflow-bundle-path.js';

const pathOf = (module: string): string => fileURLToPath(new URL(module, import.meta.url));
const common = {
  workflowsPath: pathOf('./workflows/index.js'),
  workflowInterceptorModules: [pathOf('./workflows/tracing.js')],
};
const options = {
  plain: common,
  encrypted: { ...common, failureConverterPath: FAILURE_CONVERTER_PATH },
} satisfies Record<keyof typeof WORKFLOW_BUNDLE_PATHS, unknown>;

for (const kind of ['plain', 'encrypted'] as const) {
  const { code } = await bundleWorkflowCode(options[kind]);
  await writeFile(WORKFLOW_BUNDLE_PATHS[kind], code);
  process.stderr.write(`workflow bundle (${kind}): ${Math.round(code.length / 1024)} KiB\n`);
}
