/**
 * apt-get: what it installs, and the images that packages rebuild.
 * @module
 */
import { delay } from '../machine/clock.js';
import { readStatus, writeStatus } from '../packages/database.js';
import { MIRROR, type Package } from '../packages/table.js';
import { KERNEL_MODULES } from '../pci/modules.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';
import { markManual } from './apt-mark.js';

/** Unpacking and configuring one package. */
const PACKAGE_MS = 15;

const LOCK = '/var/lib/dpkg/lock-frontend';

const aptGet: Program = async (call) => {
  const { rest, flags } = parseArgs(call.args, ['-o', '-t', '-c', '--option']);
  const [verb = '', ...names] = rest;
  if (verb === 'update') {
    call.fs.put('/var/lib/apt/lists/archive.ubuntu.com_ubuntu_dists_noble_InRelease', 'Suite: noble\n');
    return 'Hit:1 http://archive.ubuntu.com/ubuntu noble InRelease\nReading package lists...\n';
  }
  if (verb === 'clean' || verb === 'autoclean' || verb === 'check') return '';
  const release = await call.kernel.locks.take(LOCK, 0, call.signal);
  if (release === null)
    return fail(
      100,
      `E: Could not get lock ${LOCK}. It is held by process 4711 (apt-get)\nE: Unable to acquire the dpkg frontend lock (${LOCK}), is another process using it?`,
    );
  try {
    switch (verb) {
      case 'install':
        return await install(call, names, flags.has('-s') || flags.has('--dry-run') || flags.has('--simulate'));
      case 'remove':
      case 'purge':
        return remove(call, names);
      case 'upgrade':
      case 'dist-upgrade':
        return await install(
          call,
          [...readStatus(call.fs).values()]
            .filter(
              ({ name, version, status }) =>
                !status.startsWith('hold') && MIRROR.has(name) && MIRROR.get(name)?.version !== version,
            )
            .map(({ name }) => name),
          false,
        );
      case 'autoremove':
        return '';
      default:
        return fail(100, `E: Invalid operation ${verb}`);
    }
  } finally {
    release();
  }
};

export async function install(call: Call, words: readonly string[], simulate: boolean): Promise<ProgramResult> {
  const installed = new Map(readStatus(call.fs));
  const wanted: Package[] = [];
  const add = (word: string): string | null => {
    const [name = '', version] = word.split('=');
    const offer = MIRROR.get(name);
    const present = installed.get(name);
    if (offer === undefined) return present === undefined ? `E: Unable to locate package ${name}` : null;
    if (version !== undefined && version !== offer.version)
      return `E: Version '${version}' for '${name}' was not found`;
    if (present?.version === offer.version && present.status.endsWith(' installed')) return null;
    if (present?.status.startsWith('hold') === true)
      return `E: Held packages were changed and -y was used without --allow-change-held-packages.`;
    for (const dependency of offer.depends ?? []) {
      const error = add(dependency);
      if (error !== null) return error;
    }
    if (!wanted.includes(offer)) wanted.push(offer);
    return null;
  };
  for (const word of words) {
    const error = add(word);
    if (error !== null) return fail(100, error);
  }
  if (simulate)
    return wanted.map(({ name, version }) => `Inst ${name} (${version} Ubuntu:24.04/noble [amd64])\n`).join('');
  let stdout = `The following NEW packages will be installed:\n  ${wanted.map(({ name }) => name).join(' ')}\n`;
  for (const offer of wanted) {
    await delay(PACKAGE_MS, call.signal);
    await unpack(call, offer);
    installed.set(offer.name, { name: offer.name, status: 'install ok installed', version: offer.version });
    writeStatus(call.fs, installed);
    if (words.some((word) => word.split('=')[0] === offer.name)) markManual(call, offer.name, true);
    stdout += `Setting up ${offer.name} (${offer.version}) ...\n`;
  }
  const commands: (readonly string[])[] = [];
  for (const { units = [], kernel } of wanted) {
    for (const unit of units) commands.push(['systemctl', 'enable', unit], ['systemctl', 'start', unit]);
    if (kernel !== undefined) commands.push(['update-initramfs', '-c', '-k', kernel], ['update-grub']);
  }
  if (wanted.some(({ units = [] }) => units.length > 0)) commands.unshift(['systemctl', 'daemon-reload']);
  if (wanted.some(({ rebuildsInitramfs }) => rebuildsInitramfs === true))
    commands.push(['update-initramfs', '-u', '-k', 'all']);
  for (const command of commands) {
    const result = await call.run(command, { stdin: '' });
    stdout += result.stdout;
    if (result.exitCode !== 0)
      return {
        stdout,
        stderr: `${result.stderr}dpkg: error processing package ${wanted.at(-1)?.name ?? ''} (--configure):\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n`,
        exitCode: 100,
      };
  }
  return stdout;
}

async function unpack(call: Call, { files = {}, programs = [], kernel, name }: Package): Promise<void> {
  const paths: string[] = [];
  const write = (path: string, content: string, mode: number): void => {
    // Configuration files that somebody changed are kept, as with --force-confold.
    if (path.startsWith('/etc/') && call.fs.entry(path) !== undefined) return;
    call.fs.put(path, content, { mode, uid: 0, gid: 0 });
    const { disk, path: real } = call.fs.locate(path);
    disk?.fsync(real);
    paths.push(path);
  };
  for (const [path, content] of Object.entries(files))
    write(path, content, content.startsWith('\x7fELF') || content.startsWith('#!') ? 0o755 : 0o644);
  for (const program of programs) write(`/usr/bin/${program}`, `\x7fELF ${program}\n`, 0o755);
  if (kernel !== undefined) {
    write(`/boot/vmlinuz-${kernel}`, `\x7fKERNEL ${kernel}\n`, 0o600);
    for (const module of KERNEL_MODULES.values())
      write(`/usr/lib/modules/${kernel}/kernel/${module.file}.zst`, `module ${module.name} ${kernel}\n`, 0o644);
  }
  call.fs.put(`/var/lib/dpkg/info/${name}.list`, paths.map((path) => `${path}\n`).join(''));
}

function remove(call: Call, names: readonly string[]): ProgramResult {
  const installed = new Map(readStatus(call.fs));
  for (const name of names) {
    if (!installed.has(name)) continue;
    for (const path of (call.fs.text(`/var/lib/dpkg/info/${name}.list`) ?? '')
      .split('\n')
      .filter((line) => line !== ''))
      void call.fs.rm(path, { force: true });
    installed.delete(name);
  }
  writeStatus(call.fs, installed);
  return names.map((name) => `Removing ${name} ...\n`).join('');
}

const aptCache: Program = (call) => {
  const [verb, ...names] = call.args.filter((arg) => !arg.startsWith('-'));
  if (verb !== 'policy' && verb !== 'show') return '';
  const installed = readStatus(call.fs);
  return names
    .map(
      (name) =>
        `${name}:\n  Installed: ${installed.get(name)?.version ?? '(none)'}\n  Candidate: ${MIRROR.get(name)?.version ?? installed.get(name)?.version ?? '(none)'}\n`,
    )
    .join('');
};

export const APT_PROGRAMS: Programs = { 'apt-get': aptGet, apt: aptGet, 'apt-cache': aptCache };
