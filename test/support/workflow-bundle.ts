/**
 * The workflow code as workers run it, built once for all test files: webpack takes seconds.
 * @module
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

declare module 'vitest' {
  interface ProvidedContext {
    /** `127.0.0.1:PORT` of the tier's Temporal server. */
    temporalAddress: string;
    /** For `workflowBundle: { codePath }` of a worker. */
    workflowBundle: string;
  }
}

/** Beside this file as it is: TypeScript under vitest, JavaScript where it was compiled. */
const WORKFLOWS = fileURLToPath(new URL(`../../src/workflows/index${extname(import.meta.url)}`, import.meta.url));

export interface BuiltBundle {
  readonly codePath: string;
  remove(): Promise<void>;
}

/** `interceptors`: modules that stand between the workflows and Temporal. */
export async function bundledWorkflows(interceptors: readonly string[] = []): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS,
    workflowInterceptorModules: [...interceptors],
    logger: new DefaultLogger('WARN'),
  });
  return code;
}

export async function bundleWorkflows(interceptors: readonly string[] = []): Promise<BuiltBundle> {
  const code = await bundledWorkflows(interceptors);
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-bundle-'));
  const codePath = join(folder, 'workflows.js');
  await writeFile(codePath, code);
  return { codePath, remove: () => rm(folder, { recursive: true }) };
}
