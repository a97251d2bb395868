/**
 * Zip archives. There is no program for them that every machine has, as there is `tar`.
 * @module
 */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';

/**
 * Unpacks the files into `folder`, without `strip` folder levels. Permissions are not kept. yauzl refuses names that lead out of
 * the folder.
 */
export async function unzip(archive: string, folder: string, strip: number): Promise<void> {
  const zip = await openPromise(archive);
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/')) continue;
      const path = join(folder, ...entry.fileName.split('/').slice(strip));
      await mkdir(dirname(path), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path));
    }
  } finally {
    zip.close();
  }
}
