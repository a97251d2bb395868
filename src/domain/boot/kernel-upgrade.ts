/**
 * A newer kernel beside the one that is proven: which one it is, and which packages it takes. Only packages of that kernel are installed.
 * The metapackages that name it stay at their version, for two reasons: an archive keeps no older one, so that one that was upgraded could
 * not be put back; and it is they that keep the kernel of known-good from autoremove (both seen with apt 2.6.1).
 * @module
 */

/** The part of a plan that a person approves besides the reboot. */
export interface KernelUpgrade {
  /** As `uname -r` says. */
  readonly from: string;
  readonly to: string;
  /** Everything that apt would install, sorted by name. Nothing else changes. */
  readonly packages: readonly PackageVersion[];
}

export interface PackageVersion {
  readonly name: string;
  readonly version: string;
}

/** What `apt-get -s` would do. */
export interface Simulation {
  readonly installs: readonly (PackageVersion & {
    /** null for a package that is new. */ readonly from: string | null;
  })[];
  /** Names. */
  readonly removes: readonly string[];
}

/** What pulls a newer kernel in: general availability, `generic-hwe-24.04` and NVIDIA's own flavour. Patterns of dpkg-query. */
export const KERNEL_METAPACKAGES: readonly string[] = ['generic', 'nvidia'].flatMap((flavour) =>
  ['linux', 'linux-image', 'linux-headers'].map((part) => `${part}-${flavour}*`),
);

const METAPACKAGE = new RegExp(`^(?:${KERNEL_METAPACKAGES.map((pattern) => pattern.replace('*', '.*')).join('|')})$`);

/** Of the packages that are installed, those that name a kernel of the archive. */
export const metapackagesOf = (installed: readonly string[]): readonly string[] =>
  installed.filter((name) => METAPACKAGE.test(name));

/** Lines `Inst NAME [OLD] (NEW SUITE [ARCH])`, `Remv NAME [OLD]`, `Purg NAME [OLD]`; what else apt prints is for people. */
export function parseSimulation(output: string): Simulation {
  const installs: Simulation['installs'][number][] = [];
  const removes: string[] = [];
  for (const line of output.split('\n')) {
    const install = /^Inst (\S+) (?:\[([^\]]+)\] )?\((\S+) /.exec(line);
    if (install !== null) {
      const [, name = '', from = null, version = ''] = install;
      installs.push({ name: withoutArchitecture(name), from, version });
      continue;
    }
    const remove = /^(?:Remv|Purg) (\S+)/.exec(line);
    if (remove !== null) removes.push(withoutArchitecture(remove[1] ?? ''));
  }
  return { installs, removes };
}

const withoutArchitecture = (name: string): string => name.replace(/:[a-z0-9]+$/, '');

const IMAGE = /^linux-image-(\d\S*)$/;
/** `6.8.0-62` of `6.8.0-62-generic`: packages that all flavours of a kernel share have only this in their name. */
const ABI = /^\d+(?:\.\d+)*-\d+/;

/** `generic` of `6.8.0-62-generic`. */
const flavourOf = (release: string): string => release.replace(ABI, '');

/** Releases of the running flavour that the metapackages would bring. */
export function nextKernels(simulation: Simulation, running: string): readonly string[] {
  return simulation.installs
    .filter(({ from }) => from === null)
    .flatMap(({ name }) => IMAGE.exec(name)?.[1] ?? [])
    .filter((release) => flavourOf(release) === flavourOf(running) && isNewer(release, running));
}

/** Numbers compare as numbers: `6.8.0-100` is newer than `6.8.0-60`. */
const isNewer = (release: string, than: string): boolean => release.localeCompare(than, 'en', { numeric: true }) > 0;

/**
 * What is installed for one kernel, for the other: its image, and with it headers that DRBD is compiled against, extra modules that the CNI
 * needs, and prebuilt modules of the native GPU driver, without which nobody could give the GPUs back.
 */
export const counterparts = (installed: readonly string[], from: string, to: string): readonly string[] =>
  installed.filter((name) => name.endsWith(`-${from}`)).map((name) => `${name.slice(0, -from.length)}${to}`);

/** What apt would do besides installing packages of that kernel, each in a sentence; empty when it would do nothing else. */
export function notOfTheKernel({ installs, removes }: Simulation, release: string): readonly string[] {
  const abi = ABI.exec(release)?.[0] ?? release;
  const isOf = (name: string): boolean =>
    name.startsWith('linux-') && (name.endsWith(`-${release}`) || name.endsWith(`-${abi}`));
  return [
    ...installs.flatMap(({ name, from, version }) => {
      if (from !== null) return [`${name} would change from ${from} to ${version}`];
      return isOf(name) ? [] : [`${name} ${version} would be installed, and is no package of kernel ${release}`];
    }),
    ...removes.map((name) => `${name} would be removed`),
  ];
}

export const packagesOf = ({ installs }: Simulation): readonly PackageVersion[] =>
  installs.map(({ name, version }) => ({ name, version })).toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** As apt-get is told it. */
export const pinned = (packages: readonly PackageVersion[]): readonly string[] =>
  packages.map(({ name, version }) => `${name}=${version}`);
