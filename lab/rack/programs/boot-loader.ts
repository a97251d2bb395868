/**
 * GRUB's and initramfs-tools' programs, as they run under Linux.
 * @module
 */
import { parseEnvironment, renderEnvironment } from '../boot/grub-environment.js';
import { GrubSyntaxError, parseGrubScript } from '../boot/grub-script.js';
import { generateGrubConfig, parseSettings } from '../boot/grub-config-generator.js';
import { unpackImage } from '../boot/initramfs-image.js';
import { makeImage } from '../boot/mkinitramfs.js';
import { delay } from '../machine/clock.js';
import { fail, parseArgs, type Call, type Program, type ProgramResult, type Programs } from '../shell/program.js';

const GRUBENV = '/boot/grub/grubenv';
const INITRAMFS_MS = 150;

/** Installed kernels, newest first. */
export function kernels(call: Pick<Call, 'fs'>): readonly string[] {
  return call.fs
    .list('/boot')
    .flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? [])
    .filter((version) => !/\.(dpkg|bak|old|new)/.test(version))
    .toSorted((a, b) => b.localeCompare(a, undefined, { numeric: true }));
}

const grubEditenv: Program = async (call) => {
  const [given = '-', command = '', ...args] = call.args;
  const path = given === '-' ? GRUBENV : call.path(given);
  if (command === 'create') {
    await call.fs.writeFile(path, renderEnvironment(new Map()) ?? '');
    return '';
  }
  const text = call.fs.text(path);
  const variables = text === null ? null : parseEnvironment(text);
  if (variables === null) {
    if (text === null && (command === 'set' || command === 'unset')) {
      await call.fs.writeFile(path, renderEnvironment(new Map()) ?? '');
      return grubEditenv(call);
    }
    return fail(
      1,
      text === null
        ? `grub-editenv: error: cannot open \`${path}': No such file or directory.`
        : 'grub-editenv: error: invalid environment block.',
    );
  }
  switch (command) {
    case 'list':
      return [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
    case 'set':
      for (const arg of args) {
        const at = arg.indexOf('=');
        if (at < 0) return fail(1, `grub-editenv: error: invalid parameter ${arg}.`);
        variables.set(arg.slice(0, at), arg.slice(at + 1));
      }
      break;
    case 'unset':
      for (const name of args) variables.delete(name);
      break;
    default:
      return fail(1, `Unknown command \`${command}'.`);
  }
  const block = renderEnvironment(variables);
  if (block === null) return fail(1, 'grub-editenv: error: environment block too small.');
  // In place, no fsync: durable only with the next sync.
  await call.fs.writeFile(path, block);
  return '';
};

const grubReboot: Program = async (call) =>
  grubEditenv({ ...call, args: ['-', 'set', `next_entry=${call.args.at(-1) ?? ''}`] });
const grubSetDefault: Program = async (call) =>
  grubEditenv({ ...call, args: ['-', 'set', `saved_entry=${call.args.at(-1) ?? ''}`] });

const grubScriptCheck: Program = (call) => {
  const path = call.args.find((arg) => !arg.startsWith('-'));
  const text = path === undefined ? call.stdin() : call.fs.text(call.path(path));
  if (text === null) return fail(1, `grub-script-check: error: cannot open \`${path}': No such file or directory.`);
  try {
    parseGrubScript(text);
    return '';
  } catch (error) {
    if (!(error instanceof GrubSyntaxError)) throw error;
    return fail(1, `error: ${error.message}\nSyntax error at ${error.message}`);
  }
};

/** A comment names the settings' last words, as Ubuntu's does for each drop-in it reads. */
export function renderGrubConfig(call: Pick<Call, 'fs' | 'kernel'>): { readonly text: string; readonly notes: string } {
  const dropIns = call.fs.list('/etc/default/grub.d').filter((name) => name.endsWith('.cfg'));
  const settings = parseSettings([
    call.fs.text('/etc/default/grub') ?? '',
    ...dropIns.map((name) => call.fs.text(`/etc/default/grub.d/${name}`) ?? ''),
  ]);
  const versions = kernels(call);
  const known = versions.map((version) => ({
    version,
    initrd: call.fs.entry(`/boot/initrd.img-${version}`) !== undefined,
  }));
  const notes = [
    "Sourcing file `/etc/default/grub'",
    ...dropIns.map((name) => `Sourcing file \`/etc/default/grub.d/${name}'`),
    'Generating grub configuration file ...',
    ...known.flatMap(({ version, initrd }) => [
      `Found linux image: /boot/vmlinuz-${version}`,
      ...(initrd ? [`Found initrd image: /boot/initrd.img-${version}`] : []),
    ]),
    'done',
  ];
  return {
    text: generateGrubConfig({ settings, kernels: known, rootUuid: call.kernel.machine.rootUuid }),
    notes: `${notes.join('\n')}\n`,
  };
}

const grubMkconfig: Program = async (call) => {
  const { values } = parseArgs(call.args, ['-o', '--output']);
  const output = values.get('-o')?.[0] ?? values.get('--output')?.[0];
  const { text, notes } = renderGrubConfig(call);
  if (output === undefined) return { stdout: text, stderr: notes };
  const path = call.path(output);
  await call.fs.writeFile(`${path}.new`, text);
  await call.fs.mv(`${path}.new`, path);
  return { stderr: notes };
};

const updateGrub: Program = (call) => grubMkconfig({ ...call, args: ['-o', '/boot/grub/grub.cfg'] });

const grubProbe: Program = (call) => {
  const { values } = parseArgs(call.args, ['--target', '-t', '--device', '-d']);
  const target = values.get('--target')?.[0] ?? values.get('-t')?.[0] ?? 'fs';
  const answers: Readonly<Record<string, string>> = {
    fs: 'ext2',
    fs_uuid: call.kernel.machine.rootUuid,
    abstraction: call.kernel.machine.options.grubenvWritable === false ? 'diskfilter mdraid1x' : '',
    device: '/dev/nvme0n1p2',
    disk: '/dev/nvme0n1',
    drive: '(hd0,gpt2)',
    partmap: 'gpt',
  };
  const answer = answers[target];
  return answer === undefined ? fail(1, `grub-probe: error: unknown target ${target}`) : `${answer}\n`;
};

/** How the archive looks when it is unpacked: microcode in `early`, the rest in `main`. */
const unmkinitramfs: Program = async (call) => {
  const [given = '', into = ''] = call.args.filter((arg) => !arg.startsWith('-'));
  const entry = call.fs.entry(call.path(given));
  if (entry?.kind !== 'file') return fail(1, `unmkinitramfs: ${given}: No such file or directory`);
  const image = unpackImage(entry.content);
  if (image === null) return fail(1, 'cpio: premature end of archive');
  const root = call.path(into);
  await call.fs.mkdir(`${root}/early/kernel/x86/microcode`, { recursive: true });
  call.fs.put(`${root}/early/kernel/x86/microcode/GenuineIntel.bin`, 'microcode\n');
  for (const [path, { mode, text, link }] of Object.entries(image.files)) {
    const to = `${root}/main/${path}`;
    await call.fs.mkdir(to.slice(0, to.lastIndexOf('/')), { recursive: true });
    if (link !== undefined) await call.fs.symlink(link, to);
    else call.fs.put(to, text ?? '', { mode });
  }
  return '';
};

const lsinitramfs: Program = (call) => {
  const paths = call.args.filter((arg) => !arg.startsWith('-'));
  const lines: string[] = [];
  for (const given of paths) {
    const entry = call.fs.entry(call.path(given));
    const image = entry?.kind === 'file' ? unpackImage(entry.content) : null;
    if (image === null) return fail(1, `lsinitramfs: ${given}: not an initramfs`);
    const names = new Set([
      '.',
      'kernel',
      'kernel/x86',
      'kernel/x86/microcode',
      'kernel/x86/microcode/GenuineIntel.bin',
    ]);
    for (const path of Object.keys(image.files)) {
      const parts = path.split('/');
      for (let depth = 1; depth <= parts.length; depth += 1) names.add(parts.slice(0, depth).join('/'));
    }
    lines.push(...names);
  }
  return lines.map((line) => `${line}\n`).join('');
};

/** Builds one image for a kernel as mkinitramfs does; error text or null. The time it takes is when two builds can collide. */
async function build(call: Call, version: string, output: string): Promise<string | null> {
  const { machine } = call.kernel;
  const warnings: string[] = [];
  if (call.fs.list(`/usr/lib/modules/${version}`).length === 0) return `WARNING: missing /lib/modules/${version}\n`;
  machine.initramfsBuilds += 1;
  const number = machine.initramfsBuilds;
  const image = await makeImage(
    {
      fs: call.fs,
      prereqs: async (path) => (await call.run([path, 'prereqs'], { stdin: '' })).stdout,
      warn: (text) => void warnings.push(text),
    },
    version,
    number,
  );
  const half = image.slice(0, Math.floor(image.length / 2));
  call.fs.put(output, half, { mode: 0o600 });
  await delay(machine.options.initramfsMilliseconds ?? INITRAMFS_MS, call.signal);
  const now = call.fs.entry(output);
  if (now?.kind !== 'file') return `E: ${output} is gone\n`;
  // Another run writes into the same temporary file: both archives end up in it, and neither is told.
  const torn = !Buffer.from(now.content).equals(half);
  call.fs.put(output, torn ? Buffer.concat([now.content, image]) : image, { mode: 0o600 });
  return warnings.length > 0 ? `${warnings.join('\n')}\n` : null;
}

/** `-u|-c|-d -k VERSION|all`. */
const updateInitramfs: Program = async (call) => {
  const { flags, values } = parseArgs(call.args, ['-k', '-b']);
  const mode = (['-u', '-c', '-d'] as const).find((flag) => flags.has(flag));
  if (mode === undefined) return fail(1, 'update-initramfs: you must specify at least one of -c, -u, or -d.');
  const enabled =
    /^\s*update_initramfs\s*=\s*(\S+)/m.exec(call.fs.text('/etc/initramfs-tools/update-initramfs.conf') ?? '')?.[1] ??
    'yes';
  if (mode === '-u' && (enabled === 'no' || enabled === 'NO'))
    return fail(0, 'update-initramfs: Not updating initramfs.');
  const wanted = values.get('-k')?.[0];
  const installed = kernels(call);
  const withImage = installed.filter((version) => call.fs.entry(`/boot/initrd.img-${version}`) !== undefined);
  const versions =
    wanted === 'all'
      ? mode === '-c'
        ? installed
        : withImage
      : wanted === undefined
        ? (mode === '-c' ? installed : withImage).slice(0, 1)
        : [wanted];
  let stdout = '';
  let stderr = '';
  for (const version of versions) {
    const path = `/boot/initrd.img-${version}`;
    if (mode === '-d') {
      await call.fs.rm(path, { force: true });
      stdout += `update-initramfs: Deleting ${path}\n`;
      continue;
    }
    stdout += `update-initramfs: Generating ${path}\n`;
    const problem = await build(call, version, `${path}.new`);
    if (problem !== null) stderr += problem;
    if (problem?.startsWith('E:') === true || problem?.startsWith('WARNING') === true) {
      await call.fs.rm(`${path}.new`, { force: true });
      return { stdout, stderr: `${stderr}update-initramfs: failed for ${path} with 1.\n`, exitCode: 1 };
    }
    const result = await moved(call, `${path}.new`, path);
    if (result !== null) return result;
    call.fs.locate(path).disk?.syncAll();
  }
  return { stdout, stderr };
};

async function moved(call: Call, from: string, to: string): Promise<ProgramResult | null> {
  try {
    await call.fs.mv(from, to);
    return null;
  } catch (error) {
    return fail(1, `mv: cannot stat '${from}': ${error instanceof Error ? error.message : String(error)}`);
  }
}

const mkinitramfs: Program = async (call) => {
  const { values, rest } = parseArgs(call.args, ['-o', '-d', '-c', '-r']);
  const output = values.get('-o')?.[0];
  if (output === undefined) return fail(1, 'mkinitramfs: -o is required');
  const problem = await build(call, rest[0] ?? call.kernel.parameters.release, call.path(output));
  return { stderr: problem ?? '', exitCode: problem?.startsWith('E:') === true ? 1 : 0 };
};

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

export const BOOT_PROGRAMS: Programs = {
  'grub-editenv': grubEditenv,
  'grub-reboot': grubReboot,
  'grub-set-default': grubSetDefault,
  'grub-script-check': grubScriptCheck,
  'grub-mkconfig': grubMkconfig,
  'update-grub': updateGrub,
  'grub-probe': grubProbe,
  'update-initramfs': updateInitramfs,
  mkinitramfs,
  lsinitramfs,
  unmkinitramfs,
  'linux-version': linuxVersion,
  kexec,
};
