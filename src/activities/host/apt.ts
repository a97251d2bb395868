/**
 * apt on the host. What changes something runs as a transient unit: a lost link or a killed worker leaves apt alone, and the next attempt finds
 * its result.
 * @module
 */
import { parseSimulation, type PackageVersion, type Simulation } from '../../domain/boot/kernel-upgrade.js';
import { APT_MIRROR_LIST } from '../../domain/preparation/packages.js';
import type { StepContext } from '../define-step.js';

/** apt-daily may be at work; a first run over the archive takes minutes. */
const DPKG_LOCK_SECONDS = 600;

/** Nothing may ask: needrestart would, about services, and debconf, about changed files. */
const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', NEEDRESTART_SUSPEND: '1' };

/** With a mirror only the mirror: at such a site the public archive cannot be reached. */
const aptOptions = (ctx: StepContext): readonly string[] => [
  '-o',
  `DPkg::Lock::Timeout=${DPKG_LOCK_SECONDS}`,
  ...(ctx.spec.mirrors.apt === null
    ? []
    : ['-o', `Dir::Etc::SourceList=${APT_MIRROR_LIST}`, '-o', 'Dir::Etc::SourceParts=-']),
];

export async function updateLists(ctx: StepContext, step: string): Promise<void> {
  await ctx.host.mustUnit(`${step}-update`, ['apt-get', 'update', ...aptOptions(ctx)], ENVIRONMENT);
}

/** Rather fails than takes something away that somebody needs. */
const INSTALL = ['install', '--yes', '--no-install-recommends', '--no-remove'] as const;

export async function install(ctx: StepContext, step: string, words: readonly string[]): Promise<void> {
  const confold = ['-o', 'Dpkg::Options::=--force-confold'];
  await ctx.host.mustUnit(step, ['apt-get', ...INSTALL, ...aptOptions(ctx), ...confold, ...words], ENVIRONMENT);
}

/** With their configuration; held packages too. */
const PURGE = ['purge', '--yes', '--allow-change-held-packages'] as const;

export async function purge(ctx: StepContext, step: string, names: readonly string[]): Promise<void> {
  await ctx.host.mustUnit(step, ['apt-get', ...PURGE, ...aptOptions(ctx), ...names], ENVIRONMENT);
}

/** What the same words would do. Changes nothing, and takes no lock. Throws CommandFailed with what apt says. */
export const simulateInstall = (ctx: StepContext, words: readonly string[]): Promise<Simulation> =>
  simulate(ctx, [...INSTALL, ...words]);
export const simulatePurge = (ctx: StepContext, names: readonly string[]): Promise<Simulation> =>
  simulate(ctx, [...PURGE, ...names]);
/** Of packages that are held, as if they were not. */
export const simulateUpgrade = (ctx: StepContext, names: readonly string[]): Promise<Simulation> =>
  simulate(ctx, ['install', '--yes', '--allow-change-held-packages', ...names]);

async function simulate(ctx: StepContext, words: readonly string[]): Promise<Simulation> {
  return parseSimulation(await ctx.host.must(['apt-get', '--simulate', ...aptOptions(ctx), ...words]));
}

/** Version by name of what is installed, held or half installed; patterns of dpkg-query. */
export async function readPackages(
  { host }: Pick<StepContext, 'host'>,
  patterns: readonly string[],
): Promise<ReadonlyMap<string, PackageVersion & { readonly installed: boolean }>> {
  const format = '${Package}\\t${Version}\\t${db:Status-Status}\\n';
  // Exits with 1 when it does not know one of them; those have no line.
  const { stdout } = await host.exec(['dpkg-query', '-W', '-f', format, ...patterns]);
  return new Map(
    stdout.split('\n').flatMap((line) => {
      const [name = '', version = '', status = ''] = line.split('\t');
      // What is left of a package that was removed are its configuration files.
      if (name === '' || status === 'not-installed' || status === 'config-files') return [];
      return [[name, { name, version, installed: status === 'installed' }]];
    }),
  );
}

export async function readHeld({ host }: Pick<StepContext, 'host'>): Promise<ReadonlySet<string>> {
  return new Set((await host.must(['apt-mark', 'showhold'])).split('\n').filter((name) => name !== ''));
}
