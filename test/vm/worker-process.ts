/**
 * The worker as a process of its own, so that it can be killed without warning.
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../../lab/tools/child.js';
import { thisMachine } from '../../lab/tools/workshop.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Inside the repository, so that packages are found from there. */
const BUILT = `${ROOT}node_modules/.cache/gpu-provision/vm-worker`;
const BUILD_TIMEOUT_SECONDS = 300;

/** Compiles the product. Call once before starting workers. */
export async function buildWorker(): Promise<void> {
  const workshop = thisMachine();
  await mkdir(BUILT, { recursive: true });
  await writeFile(`${BUILT}/package.json`, '{ "type": "module" }\n');
  const limit = { timeoutSeconds: BUILD_TIMEOUT_SECONDS, cwd: ROOT };
  await workshop.run(
    [process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', BUILT],
    limit,
  );
  await workshop.run([process.execPath, `${BUILT}/src/build-workflow-bundle.js`], limit);
}

/** Serves the workflows and this site, from the address of its Temporal server on. */
export function startWorkerProcess(address: string, site: string): Child {
  const program = `import { runWorker } from '${BUILT}/src/worker.js'; await runWorker({ sites: ['${site}'] });`;
  return startChild([process.execPath, '--input-type=module', '-e', program], { env: { TEMPORAL_ADDRESS: address } });
}
