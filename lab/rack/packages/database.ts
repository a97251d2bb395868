/**
 * dpkg's status file: what is installed, held, or half-done.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';

export const STATUS_PATH = '/var/lib/dpkg/status';

export interface InstalledPackage {
  readonly name: string;
  /** `install ok installed`, `hold ok installed`, `install ok half-configured`. */
  readonly status: string;
  readonly version: string;
}

export function renderStatus(packages: readonly InstalledPackage[]): string {
  return packages
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, status, version }) => `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: ${version}\n`,
    )
    .join('\n');
}

export function readStatus(fs: FileSystem): ReadonlyMap<string, InstalledPackage> {
  const packages = new Map<string, InstalledPackage>();
  for (const paragraph of (fs.text(STATUS_PATH) ?? '').split('\n\n')) {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? '';
    const name = field('Package');
    if (name !== '') packages.set(name, { name, status: field('Status'), version: field('Version') });
  }
  return packages;
}

/** dpkg writes its status with fsync and rename. */
export function writeStatus(fs: FileSystem, packages: ReadonlyMap<string, InstalledPackage>): void {
  fs.put(STATUS_PATH, renderStatus([...packages.values()]), { mode: 0o644, uid: 0, gid: 0 });
  const { disk, path } = fs.locate(STATUS_PATH);
  disk?.fsync(path);
}
