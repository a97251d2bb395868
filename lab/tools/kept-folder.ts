/**
 * A folder in the cache that is made once: built beside its place and moved there whole, so that an interrupted build leaves nothing that
 * looks finished.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.js';
import type { Workshop } from './workshop.js';

export interface KeptFolder {
  /** For people: `boot lab: building the base image`. */
  readonly title: string;
  /** Name in the cache; the version is part of it. */
  readonly name: string;
  /** Whether what is at the place can be used. */
  readonly isReady: (folder: string) => Promise<boolean>;
  /** Fills an empty folder. */
  readonly make: (folder: string) => Promise<void>;
}

/** Path of the folder; made now if there is none. */
export async function keptFolder({ title, name, isReady, make }: KeptFolder, workshop: Workshop): Promise<string> {
  const place = join(workshop.cacheDir, name);
  await mkdir(workshop.cacheDir, { recursive: true });
  const waiting = (pid: number): void => workshop.report(`${title}: process ${pid} is at it; waiting for that`);
  await withLock(`${place}.lock`, waiting, async () => {
    if (await isReady(place)) return;
    const building = await mkdtemp(`${place}.building-`);
    try {
      await make(building);
      await rm(place, { recursive: true, force: true });
      await rename(building, place);
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
  return place;
}

/** Where the files that are not TypeScript lie: beside the source, and the build leaves them there. Argument: `import.meta.url`. */
export const sourceFolder = (module: string): string => dirname(fileURLToPath(module)).replace('/dist/', '/');

/** Twelve digits that change with any of the files. */
export async function versionOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(await readFile(path));
  return hash.digest('hex').slice(0, 12);
}
