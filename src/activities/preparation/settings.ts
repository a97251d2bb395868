/**
 * Modules, kernel parameters, and the files that keep storage services off what belongs to guests.
 * @module
 */
import { K3S_UNIT } from '../../domain/cluster/k3s-layout.js';
import {
  CONTAINERD_PATH,
  CONTAINERD_TEXT,
  MULTIPATH_PATH,
  MULTIPATH_PATTERN,
  MULTIPATH_TEXT,
  STORAGE_SERVICES,
} from '../../domain/preparation/drop-ins.js';
import {
  filterPatterns,
  LVM_CONF_PATH,
  onDeviceMapper,
  wantedFilter,
  withGlobalFilter,
} from '../../domain/preparation/lvm-filter.js';
import {
  kvmModule,
  MODULES_LOAD_PATH,
  OPTIONAL_MODULES,
  renderModulesLoad,
  wantedModules,
} from '../../domain/preparation/modules.js';
import { renderSysctl, SYSCTL_PATH, SYSCTLS, sysctlProblems } from '../../domain/preparation/sysctl.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { noteOnce } from '../host/ledger.js';
import { additions } from '../host/preview.js';
import { writtenFileStep } from './written-file.js';

/** In the ledger: services that were not enabled before. */
const NOTE_SERVICES = 'enabled-services';

/** `MODULE…`: those that are neither loaded nor built into the kernel. */
const MISSING_MODULES = `set -u
builtin=/lib/modules/$(uname -r)/modules.builtin
for name in "$@"; do
  if [ -d "/sys/module/$name" ]; then continue; fi
  if grep -qs "/$name\\.ko" "$builtin"; then continue; fi
  echo "$name"
done
exit 0`;

/** `MODULE…`: those that could be loaded. */
const LOADABLE_MODULES = `set -u
for name in "$@"; do
  if modprobe -n -q "$name"; then echo "$name"; fi
done
exit 0`;

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '');

async function modulesOf(ctx: StepContext): Promise<readonly string[]> {
  const loadable = words(await ctx.host.script(LOADABLE_MODULES, OPTIONAL_MODULES));
  const flags = await ctx.host.exec(['grep', '-m', '1', '^flags', '/proc/cpuinfo']);
  const kvm = kvmModule(flags.stdout);
  if (kvm === null)
    throw new ProvisionError('Blocked', 'the CPU offers no virtualisation: switch VT-x or AMD-V on in the firmware');
  return wantedModules(kvm, loadable);
}

const missingModules = async (ctx: StepContext): Promise<readonly string[]> =>
  words(await ctx.host.script(MISSING_MODULES, await modulesOf(ctx)));

export const loadModules = writtenFileStep({
  name: 'preparation.load-modules',
  file: async (ctx) => ({ path: MODULES_LOAD_PATH, content: renderModulesLoad(await modulesOf(ctx)), mode: '644' }),
  activate: async (ctx) => {
    await ctx.host.change(['modprobe', '-a', ...(await modulesOf(ctx))]);
  },
  problems: async (ctx) => (await missingModules(ctx)).map((name) => `module ${name} is not loaded`),
  summary: 'modules are loaded, now and at boot',
  also: async (ctx) => additions('module', await missingModules(ctx)),
});

export const setSysctl = writtenFileStep({
  name: 'preparation.set-sysctl',
  file: () => ({ path: SYSCTL_PATH, content: renderSysctl(), mode: '644' }),
  activate: async (ctx) => {
    await ctx.host.change(['sysctl', '-q', '-p', SYSCTL_PATH]);
  },
  problems: async (ctx) => sysctlProblems((await ctx.host.exec(['sysctl', ...Object.keys(SYSCTLS)])).stdout),
  summary: `${Object.keys(SYSCTLS).length} kernel parameters set`,
});

export const excludeDrbd = writtenFileStep({
  name: 'preparation.exclude-drbd',
  file: () => ({ path: MULTIPATH_PATH, content: MULTIPATH_TEXT, mode: '644' }),
  activate: async (ctx) => {
    await ctx.host.change(['systemctl', 'restart', 'multipathd.service']);
  },
  problems: async (ctx) =>
    (await ctx.host.exec(['multipathd', 'show', 'config'])).stdout.includes(MULTIPATH_PATTERN)
      ? []
      : ['multipathd does not run with the blacklist'],
  summary: 'multipathd leaves DRBD devices alone',
});

async function storageProblems(ctx: StepContext): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const service of STORAGE_SERVICES) {
    if ((await ctx.host.exec(['systemctl', 'is-enabled', '--quiet', service])).exitCode !== 0)
      problems.push(`${service} is not enabled`);
    if ((await ctx.host.exec(['systemctl', 'is-active', '--quiet', service])).exitCode !== 0)
      problems.push(`${service} is not running`);
  }
  return problems;
}

export const enableServices: StepImplementation = {
  preview: async (ctx) => {
    const problems = await storageProblems(ctx);
    return additions(
      'service',
      STORAGE_SERVICES.filter((service) => problems.some((problem) => problem.startsWith(service))),
    );
  },
  check: async (ctx) => ((await storageProblems(ctx)).length === 0 ? { summary: 'iscsid and multipathd run' } : null),
  apply: async (ctx) => {
    const problems = await storageProblems(ctx);
    await noteOnce(
      ctx.host,
      NOTE_SERVICES,
      STORAGE_SERVICES.filter((service) => problems.includes(`${service} is not enabled`)),
    );
    await ctx.host.change(['systemctl', 'enable', '--now', ...STORAGE_SERVICES]);
  },
  verify: async (ctx) => {
    const problems = await storageProblems(ctx);
    if (problems.length > 0) throw new ProvisionError('StepNotVerified', problems.join('; '));
    return { summary: 'iscsid and multipathd run' };
  },
};

/** pvs is missing before the packages are installed; then there are no physical volumes either. */
async function lvmFilter(ctx: StepContext): Promise<readonly string[]> {
  const root = (await ctx.host.must(['findmnt', '-n', '-o', 'SOURCE', '-T', '/'])).split('\n');
  const volumes = await ctx.host.exec(['pvs', '--noheadings', '-o', 'pv_name']);
  return wantedFilter(onDeviceMapper([...root, ...(volumes.exitCode === 0 ? volumes.stdout.split('\n') : [])]));
}

export const filterLvm = writtenFileStep({
  name: 'preparation.filter-lvm',
  file: async (ctx) => {
    const content = withGlobalFilter((await ctx.host.readFile(LVM_CONF_PATH)) ?? '', await lvmFilter(ctx));
    if (content === null)
      throw new ProvisionError(
        'OutputUnexpected',
        `the devices section of ${LVM_CONF_PATH} is not understood; nothing was changed`,
      );
    return { path: LVM_CONF_PATH, content, mode: '644' };
  },
  problems: async (ctx) => {
    const now = filterPatterns(await ctx.host.must(['lvmconfig', 'devices/global_filter']));
    return (await lvmFilter(ctx))
      .filter((pattern) => !now.includes(pattern))
      .map((pattern) => `LVM does not obey "${pattern}"`);
  },
  summary: 'LVM leaves volumes of guests alone',
});

export const configureContainerd = writtenFileStep({
  name: 'preparation.configure-containerd',
  file: () => ({ path: CONTAINERD_PATH, content: CONTAINERD_TEXT, mode: '644' }),
  // On a k3s that runs already: its pods keep running while it restarts.
  activate: async (ctx, changed) => {
    const active = (await ctx.host.exec(['systemctl', 'is-active', '--quiet', K3S_UNIT])).exitCode === 0;
    if (changed && active) await ctx.host.change(['systemctl', 'restart', K3S_UNIT]);
  },
  summary: 'containerd gives devices to the users of their pods',
});

/** Known-good covers kernel, image and command line, not the root file system: a bad line in fstab breaks every boot. */
const BOOT_FILE_CHECKS: readonly (readonly string[])[] = [['findmnt', '--verify']];

async function validate(ctx: StepContext): Promise<{ summary: string }> {
  for (const argv of BOOT_FILE_CHECKS) {
    const result = await ctx.host.exec(argv);
    if (result.exitCode !== 0)
      throw new ProvisionError(
        'StepNotVerified',
        `${argv.join(' ')}: ${(result.stdout || result.stderr).trim().slice(0, 600)}`,
      );
  }
  return { summary: 'fstab is valid' };
}

export const validateFiles: StepImplementation = { check: validate, apply: async () => {}, verify: validate };
