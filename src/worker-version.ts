/**
 * Worker versions: a run stays with the version of the workers that began it, and new runs go to the version that is current.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { WORKFLOW_BUNDLE_PATHS } from './workflow-bundle-path.js';

/** Enough to tell builds apart. */
const DIGEST_CHARACTERS = 12;

/** `0.1.0-3fa1c2b4d5e6`: the package's version, and of the workflow code the first 48 bits of its SHA-256. */
export async function ownBuildId(): Promise<string> {
  const code = await readFile(WORKFLOW_BUNDLE_PATHS.plain);
  const digest = createHash('sha256').update(code).digest('hex').slice(0, DIGEST_CHARACTERS);
  return `${await packageVersion()}-${digest}`;
}

/** PINNED is the default of all workflows: no code of theirs decides by version. */
export function pinned(deploymentName: string, buildId: string): WorkerDeploymentOptions {
  return { useWorkerVersioning: true, version: { deploymentName, buildId }, defaultVersioningBehavior: 'PINNED' };
}

/** From the sources one level up, from the build two. */
async function packageVersion(): Promise<string> {
  for (const place of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(place, import.meta.url), 'utf8').catch(() => null);
    // npm requires a version.
    if (text !== null) return (JSON.parse(text) as { version: string }).version;
  }
  throw new Error('no package.json beside the program');
}
