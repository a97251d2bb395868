/**
 * Opens the place where artifacts are kept.
 * @module
 */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArtifactStore } from '../../ports/artifacts.js';
import { BadStore } from './bad-store.js';
import { directoryShelf } from './directory.js';
import { s3Shelf, type S3Options } from './s3.js';
import { artifactStore } from './store.js';

export { BadStore } from './bad-store.js';

/** As S3 wants it: 3 to 63 of these, no dot, since a dot breaks the certificate of the bucket's own host name. */
const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9-]{1,61}[a-z0-9])(?:\/+(.*?))?\/*$/;

/** @param place An absolute path, `file:///PATH` or `s3://BUCKET[/PREFIX]`. Throws BadStore. Nothing is made or asked yet. */
export function openArtifactStore(place: string, options: S3Options): ArtifactStore {
  if (isAbsolute(place)) return artifactStore(directoryShelf(place));
  if (place.startsWith('file:///')) return artifactStore(directoryShelf(fileURLToPath(place)));
  const [found, bucket = '', prefix = ''] = S3_URL.exec(place) ?? [];
  if (found === undefined)
    throw new BadStore(
      `artifacts cannot be kept in ${place}: expected an absolute path or s3://BUCKET/PREFIX, the bucket in small letters, digits and dashes`,
    );
  return artifactStore(s3Shelf({ bucket, prefix }, options));
}
