/**
 * initramfs-tools: building boot images and looking into them.
 * @module
 */
import { unpackImage } from '../boot/initramfs-image.js';
import { makeImage } from '../boot/mkinitramfs.js';
import { delay } from '../machine/clock.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';
import { kernels } from './kernels.js';

const INITRAMFS_MS = 150;

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

/** A line of output: of a unit it is in the journal as it comes, not at the end. The text that is still to be printed. */
function said(call: Call, text: string): string {
  const { unit } = call.process.spec;
  if (unit === undefined) return `${text}\n`;
  const { machine, parameters } = call.kernel;
  const identifier = unit.replace(/\.service$/, '');
  machine.journal.add({ bootId: parameters.bootId, at: Date.now(), identifier, unit, text });
  return '';
}

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
    stdout += said(call, `update-initramfs: Generating ${path}`);
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

export const INITRAMFS_PROGRAMS: Programs = {
  'update-initramfs': updateInitramfs,
  mkinitramfs,
  lsinitramfs,
  unmkinitramfs,
};
