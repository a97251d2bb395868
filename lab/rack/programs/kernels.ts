/**
 * Installed kernels, and kexec.
 * @module
 */
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';

/** Installed kernels, newest first. */
export function kernels(call: Pick<Call, 'fs'>): readonly string[] {
  return call.fs
    .list('/boot')
    .flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? [])
    .filter((version) => !/\.(dpkg|bak|old|new)/.test(version))
    .toSorted((a, b) => b.localeCompare(a, undefined, { numeric: true }));
}

const linuxVersion: Program = (call) => {
  if (call.args[0] !== 'list') return fail(1, 'linux-version: only list is known here');
  const versions = call.args.includes('--reverse') ? kernels(call) : kernels(call).toReversed();
  return versions.map((version) => `${version}\n`).join('');
};

const kexec: Program = (call) => {
  const { kernel } = call;
  if (call.args.includes('-u')) {
    kernel.kexec = null;
    return '';
  }
  if (call.args.includes('-l')) {
    const { values } = parseArgs(call.args, ['--append', '--command-line', '--initrd', '-l']);
    kernel.kexec = {
      ...kernel.parameters,
      commandLine: values.get('--append')?.[0] ?? values.get('--command-line')?.[0] ?? kernel.parameters.commandLine,
    };
    return '';
  }
  return fail(1, 'kexec: only -l and -u are known here');
};

export const INSTALLED_KERNEL_PROGRAMS: Programs = { 'linux-version': linuxVersion, kexec };
