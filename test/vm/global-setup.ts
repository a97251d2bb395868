/**
 * As for whole runs on the rack, and a folder for machines that tests go on from.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import startServers from '../integration/global-setup.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stopServers = await startServers(project);
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-vm-'));
  project.provide('vmFolder', folder);
  return async () => {
    await stopServers();
    await rm(folder, { recursive: true });
  };
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Checkpoints of this session; see rig.ts. */
    vmFolder: string;
  }
}
