/**
 * sushy-tools in a Python environment of its own, made once and kept in the cache.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../../tools/lock.js';
import { isExecutable, type Workshop } from '../../tools/workshop.js';

/** The files that are not TypeScript lie beside the source; the build leaves them there. */
const FOLDER = dirname(fileURLToPath(import.meta.url)).replace('/dist/', '/');
const REQUIREMENTS = join(FOLDER, 'requirements.txt');
export const EMULATOR = join(FOLDER, 'redfish-emulator.py');

/** Seconds as a rule; a slow index or a busy machine needs minutes. */
const INSTALL_TIMEOUT_SECONDS = 5 * 60;

/** Path of a Python that can import sushy-tools. Needs Debian's and Ubuntu's python3-venv, and the first time a package index. */
export async function sushyPython(workshop: Workshop): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 12);
  const folder = join(workshop.cacheDir, `sushy-tools-${version}`);
  const python = join(folder, 'bin', 'python');
  await mkdir(workshop.cacheDir, { recursive: true });
  const waiting = (pid: number): void => workshop.report(`sushy-tools: process ${pid} is getting it; waiting for that`);
  await withLock(`${folder}.lock`, waiting, async () => {
    // A link to the system's Python, which may have gone since.
    if (await isExecutable(python)) return;
    const building = await mkdtemp(`${folder}.building-`);
    try {
      workshop.report('sushy-tools: installing it from the Python package index');
      await workshop.run(['python3', '-m', 'venv', building], { timeoutSeconds: INSTALL_TIMEOUT_SECONDS });
      const pip = [
        join(building, 'bin', 'python'),
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
      ] as const;
      await workshop.run([...pip, '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', REQUIREMENTS], {
        timeoutSeconds: INSTALL_TIMEOUT_SECONDS,
      });
      await rm(folder, { recursive: true, force: true });
      // Only its scripts know where they were made; they are not used.
      await rename(building, folder);
    } catch (error) {
      await rm(building, { recursive: true, force: true });
      throw error;
    }
  });
  return python;
}
