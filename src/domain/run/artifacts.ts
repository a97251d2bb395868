/**
 * Evidence that is too large for a history, kept outside of Temporal and named by its content.
 * @module
 */

export interface ArtifactRef {
  /** What it is: `update-initramfs.log`. */
  readonly name: string;
  /** Of the text as it was stored, in hex; its key in the store. */
  readonly sha256: string;
  readonly bytes: number;
  /** Where it is: `file:///var/lib/…`, `s3://BUCKET/PREFIX`; null when it could not be kept. */
  readonly store: string | null;
  /** Why it was not kept, or not all of it; null when all is well. */
  readonly problem: string | null;
}

/** What activities return or fail with, where they kept something. */
export interface WithArtifacts {
  readonly artifacts?: readonly ArtifactRef[];
}

/** The same text under the same name is one artifact, however often a step was tried. */
export function isSameArtifact(a: ArtifactRef, b: ArtifactRef): boolean {
  return a.name === b.name && a.sha256 === b.sha256 && a.store === b.store;
}
