/**
 * Packages, installed by apt as transient units: a lost link or a killed worker leaves apt alone, and the next attempt finds its result.
 * @module
 */
import {
  APT_MIRROR_LIST,
  installedPackages,
  renderAptMirror,
  wantedPackages,
} from '../../domain/preparation/packages.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { noteOnce } from '../host/ledger.js';
import { additions } from '../host/preview.js';
import { install, updateLists } from '../host/apt.js';

const STEP = 'preparation.install-packages';
/** In the ledger: packages that were not there before. They stay after a failure, and the report lists them. */
const NOTE_PACKAGES = 'installed-packages';

async function wanted(ctx: StepContext): Promise<readonly string[]> {
  return wantedPackages((await ctx.host.must(['uname', '-r'])).trim()).map((found) => found.name);
}

/** Those that apt would have to bring. */
export async function missingPackages(ctx: StepContext): Promise<readonly string[]> {
  const names = await wanted(ctx);
  // Exits with 1 when it does not know one of them; those have no line.
  const result = await ctx.host.exec(['dpkg-query', '-W', '-f', '${Package}\\t${db:Status-Abbrev}\\n', ...names]);
  const installed = installedPackages(result.stdout);
  return names.filter((name) => !installed.has(name));
}

const done = async (ctx: StepContext): Promise<{ summary: string }> => ({
  summary: `${(await wanted(ctx)).length} packages are installed`,
});

export const installPackages: StepImplementation = {
  preview: async (ctx) => additions('package', await missingPackages(ctx)),
  check: async (ctx) => {
    // dpkg calls packages installed while apt still runs their triggers, which rebuild the boot images.
    await ctx.host.drainUnits();
    return (await missingPackages(ctx)).length === 0 ? done(ctx) : null;
  },
  apply: async (ctx) => {
    const { host, spec } = ctx;
    const names = await missingPackages(ctx);
    await noteOnce(host, NOTE_PACKAGES, names);
    if (spec.mirrors.apt !== null)
      await host.writeFile({ path: APT_MIRROR_LIST, content: renderAptMirror(spec.mirrors.apt), mode: '644' }, STEP);
    ctx.heartbeat('apt-get update');
    await updateLists(ctx, STEP);
    ctx.heartbeat(`apt-get install ${names.join(' ')}`);
    await install(ctx, STEP, names);
  },
  verify: async (ctx) => {
    const still = await missingPackages(ctx);
    if (still.length > 0) throw new ProvisionError('StepNotVerified', `not installed: ${still.join(', ')}`);
    return done(ctx);
  },
};
