/**
 * Kernel modules.
 * @module
 */
import { BUILTIN_MODULES, KERNEL_MODULES, moduleName } from '../pci/modules.js';
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';

const modprobe: Program = (call) => {
  const given = (call.env.get('MODPROBE_OPTIONS') ?? '').split(/\s+/).filter((word) => word !== '');
  const { flags, rest } = parseArgs([...given, ...call.args], ['-d', '-C', '-S']);
  const quiet = flags.has('-q') || flags.has('--quiet');
  if (flags.has('-r') || flags.has('--remove')) {
    for (const name of rest) {
      const error = call.kernel.unloadModule(name);
      if (error !== null) return fail(1, `modprobe: FATAL: ${error}.`);
    }
    return '';
  }
  const names = flags.has('-a') || flags.has('--all') ? rest : rest.slice(0, 1);
  for (const name of names) {
    if ((flags.has('-b') || flags.has('--use-blacklist')) && call.kernel.isBlacklisted(name, call.fs)) continue;
    if (flags.has('-n') || flags.has('--dry-run') || flags.has('--show-depends')) {
      const module = KERNEL_MODULES.get(moduleName(name));
      const known =
        BUILTIN_MODULES.has(moduleName(name)) ||
        (module !== undefined && call.kernel.hasModuleFile(module.file, call.fs));
      if (!known)
        return fail(
          1,
          quiet
            ? ''
            : `modprobe: FATAL: Module ${name} not found in directory /lib/modules/${call.kernel.parameters.release}`,
        );
      continue;
    }
    const error = call.kernel.loadModule(name, call.fs);
    if (error !== null) return fail(1, quiet ? '' : `modprobe: FATAL: ${error}`);
  }
  return '';
};

const lsmod: Program = (call) =>
  [
    'Module                  Size  Used by',
    ...[...call.kernel.modules.values()]
      .toReversed()
      .map(
        (module) =>
          `${module.name.padEnd(20)} ${String(module.size).padStart(9)}  ${module.usedBy.size}${module.usedBy.size > 0 ? ` ${[...module.usedBy].join(',')}` : ''}`,
      ),
  ]
    .map((line) => `${line}\n`)
    .join('');

const modinfo: Program = (call) => {
  const name = call.args.findLast((arg) => !arg.startsWith('-')) ?? '';
  const module = KERNEL_MODULES.get(moduleName(name));
  if (module === undefined || !call.kernel.hasModuleFile(module.file, call.fs))
    return fail(1, `modinfo: ERROR: Module ${name} not found.`);
  const path = `/lib/modules/${call.kernel.parameters.release}/kernel/${module.file}.zst`;
  if (call.args.includes('-n')) return `${path}\n`;
  return `filename:       ${path}\nname:           ${module.name}\ndepends:        ${module.depends.join(',')}\nvermagic:       ${call.kernel.parameters.release} SMP preempt mod_unload\n`;
};

export const MODULE_PROGRAMS: Programs = { modprobe, lsmod, modinfo, depmod: () => '' };
