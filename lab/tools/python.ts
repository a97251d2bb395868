/**
 * Python programs in an environment of their own, made once and kept in the cache.
 * @module
 */
import { join } from 'node:path';
import { keptFolder, versionOf } from './kept-folder.js';
import { isExecutable, type Workshop } from './workshop.js';

/** Seconds as a rule; a slow index or a busy machine needs minutes. */
const INSTALL_TIMEOUT_SECONDS = 5 * 60;

export interface PythonPackages {
  /** For people, and in the cache: `sushy-tools`. */
  readonly name: string;
  /** Path of a requirements.txt with the hash of every file. */
  readonly requirements: string;
}

const pythonIn = (folder: string): string => join(folder, 'bin', 'python');

/** Path of a Python that can import these packages. Needs Debian's and Ubuntu's python3-venv, and the first time a package index. */
export async function pythonWith({ name, requirements }: PythonPackages, workshop: Workshop): Promise<string> {
  const folder = await keptFolder(
    {
      title: name,
      name: `${name}-${await versionOf([requirements])}`,
      // A link to the system's Python, which may have gone since.
      isReady: (place) => isExecutable(pythonIn(place)),
      // Only its scripts know where they were made; they are not used.
      make: async (building) => {
        workshop.report(`${name}: installing it from the Python package index`);
        const limit = { timeoutSeconds: INSTALL_TIMEOUT_SECONDS };
        await workshop.run(['python3', '-m', 'venv', building], limit);
        const pip = [pythonIn(building), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'] as const;
        await workshop.run(
          [...pip, '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements],
          limit,
        );
      },
    },
    workshop,
  );
  return pythonIn(folder);
}
