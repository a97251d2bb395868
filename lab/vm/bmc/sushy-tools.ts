/**
 * sushy-tools in a Python environment of its own, made once and kept in the cache.
 * @module
 */
import { join } from 'node:path';
import { keptFolder, sourceFolder, versionOf } from '../../tools/kept-folder.js';
import { isExecutable, type Workshop } from '../../tools/workshop.js';

const FOLDER = sourceFolder(import.meta.url);
const REQUIREMENTS = join(FOLDER, 'requirements.txt');
export const EMULATOR = join(FOLDER, 'redfish-emulator.py');

/** Seconds as a rule; a slow index or a busy machine needs minutes. */
const INSTALL_TIMEOUT_SECONDS = 5 * 60;

const pythonIn = (folder: string): string => join(folder, 'bin', 'python');

/** Path of a Python that can import sushy-tools. Needs Debian's and Ubuntu's python3-venv, and the first time a package index. */
export async function sushyPython(workshop: Workshop): Promise<string> {
  const folder = await keptFolder(
    {
      title: 'sushy-tools',
      name: `sushy-tools-${await versionOf([REQUIREMENTS])}`,
      // A link to the system's Python, which may have gone since.
      isReady: (place) => isExecutable(pythonIn(place)),
      // Only its scripts know where they were made; they are not used.
      make: (building) => install(building, workshop),
    },
    workshop,
  );
  return pythonIn(folder);
}

async function install(folder: string, workshop: Workshop): Promise<void> {
  workshop.report('sushy-tools: installing it from the Python package index');
  const limit = { timeoutSeconds: INSTALL_TIMEOUT_SECONDS };
  await workshop.run(['python3', '-m', 'venv', folder], limit);
  const pip = [pythonIn(folder), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'] as const;
  await workshop.run([...pip, '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', REQUIREMENTS], limit);
}
