/**
 * apt-get: what it installs, and the images that packages rebuild.
 * @module
 */
import { delay } from '../machine/clock.js';
import { readStatus, writeStatus } from '../packages/database.js';
import { offered, type Package } from '../packages/table.js';
import { KERNEL_MODULES } from '../pci/modules.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';
import { markManual } from './apt-mark.js';

/** Unpacking and configuring one package. */
const PACKAGE_MS = 15;

const LOCK = '/var/lib/dpkg/lock-frontend';
const LISTS = '/var/lib/apt/lists/archive.ubuntu.com_ubuntu_dists_noble_InRelease';
const POCKET = 'Pocket: ';

/** What apt knows that the archive has, by name. */
function offers(call: Pick<Call, 'fs'>): ReadonlyMap<string, Package> {
  const lines = (call.fs.text(LISTS) ?? '').split('\n').filter((line) => line.startsWith(POCKET));
  return offered(new Set(lines.map((line) => line.slice(POCKET.length))));
}

const aptGet: Program = async (call) => {
  const { rest, flags } = parseArgs(call.args, ['-o', '-t', '-c', '--option']);
  const [verb = '', ...names] = rest;
  if (verb === 'update') {
    const pockets = [...call.kernel.machine.published].map((name) => `${POCKET}${name}\n`);
    call.fs.put(LISTS, `Suite: noble\n${pockets.join('')}`);
    return 'Hit:1 http://archive.ubuntu.com/ubuntu noble InRelease\nReading package lists...\n';
  }
  if (verb === 'clean' || verb === 'autoclean' || verb === 'check') return '';
  const simulates = ['-s', '--simulate', '--dry-run', '--just-print'].some((flag) => flags.has(flag));
  const how = { simulates, changesHeld: flags.has('--allow-change-held-packages') };
  // A simulation takes no lock.
  if (simulates) return verb === 'install' ? install(call, names, how) : remove(call, names, how);
  const release = await call.kernel.locks.take(LOCK, 0, call.signal);
  if (release === null)
    return fail(
      100,
      `E: Could not get lock ${LOCK}. It is held by process 4711 (apt-get)\nE: Unable to acquire the dpkg frontend lock (${LOCK}), is another process using it?`,
    );
  try {
    switch (verb) {
      case 'install':
        return await install(call, names, how);
      case 'remove':
      case 'purge':
        return await remove(call, names, how);
      case 'upgrade':
      case 'dist-upgrade':
        return await install(
          call,
          [...readStatus(call.fs).values()]
            .filter(
              ({ name, version, status }) =>
                !status.startsWith('hold') && (offers(call).get(name)?.version ?? version) !== version,
            )
            .map(({ name }) => name),
          how,
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

interface How {
  readonly simulates: boolean;
  /** `--allow-change-held-packages` */
  readonly changesHeld: boolean;
}

export async function install(
  call: Call,
  words: readonly string[],
  { simulates, changesHeld }: How,
): Promise<ProgramResult> {
  const archive = offers(call);
  const installed = new Map(readStatus(call.fs));
  const wanted: Package[] = [];
  const add = (word: string): string | null => {
    const [name = '', version] = word.split('=');
    const offer = archive.get(name);
    const present = installed.get(name);
    if (offer === undefined) return present === undefined ? `E: Unable to locate package ${name}` : null;
    if (version !== undefined && version !== offer.version)
      return `E: Version '${version}' for '${name}' was not found`;
    if (present?.version === offer.version && present.status.endsWith(' installed')) return null;
    if (present?.status.startsWith('hold') === true && !changesHeld)
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
  if (simulates) {
    const lines = wanted.map(({ name, version }) => {
      const old = installed.get(name);
      return `Inst ${name} ${old === undefined ? '' : `[${old.version}] `}(${version} Ubuntu:24.04/noble [amd64])\n`;
    });
    return `NOTE: This is only a simulation!\n${lines.join('')}`;
  }
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

async function unpack(call: Call, { files = {}, programs = [], kernel, modulesOf, name }: Package): Promise<void> {
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
  if (kernel !== undefined) write(`/boot/vmlinuz-${kernel}`, `\x7fKERNEL ${kernel}\n`, 0o600);
  if (modulesOf !== undefined) {
    for (const module of KERNEL_MODULES.values())
      write(`/usr/lib/modules/${modulesOf}/kernel/${module.file}.zst`, `module ${module.name} ${modulesOf}\n`, 0o644);
  }
  call.fs.put(`/var/lib/dpkg/info/${name}.list`, paths.map((path) => `${path}\n`).join(''));
}

/** With whatever depends on them. The kernel that runs is not removed: its prerm asks, and nobody answers. */
async function remove(call: Call, words: readonly string[], { simulates, changesHeld }: How): Promise<ProgramResult> {
  const installed = new Map(readStatus(call.fs));
  const archive = offers(call);
  const going = words.filter((name) => installed.has(name));
  const dependsOnOne = ({ name, version }: { readonly name: string; readonly version: string }): boolean => {
    const offer = archive.get(name);
    return offer?.version === version && (offer.depends ?? []).some((dependency) => going.includes(dependency));
  };
  for (let more = true; more;) {
    const dependent = [...installed.values()].find((present) => !going.includes(present.name) && dependsOnOne(present));
    more = dependent !== undefined;
    if (dependent !== undefined) going.push(dependent.name);
  }
  if (!changesHeld && going.some((name) => installed.get(name)?.status.startsWith('hold') === true))
    return fail(100, `E: Held packages were changed and -y was used without --allow-change-held-packages.`);
  if (simulates) return going.map((name) => `Purg ${name} [${installed.get(name)?.version ?? ''}]\n`).join('');
  const kernels = going.flatMap((name) => /^linux-image-(\d.*)$/.exec(name)?.[1] ?? []);
  if (kernels.includes(call.kernel.parameters.release))
    return fail(100, `dpkg: error processing package linux-image-${call.kernel.parameters.release} (--purge):`);
  for (const name of going) {
    await delay(PACKAGE_MS, call.signal);
    for (const path of (call.fs.text(`/var/lib/dpkg/info/${name}.list`) ?? '')
      .split('\n')
      .filter((line) => line !== ''))
      void call.fs.rm(path, { force: true });
    installed.delete(name);
    writeStatus(call.fs, installed);
  }
  // postrm, by the scripts in /etc/kernel/postrm.d
  for (const release of kernels) await call.run(['update-initramfs', '-d', '-k', release], { stdin: '' });
  if (kernels.length > 0) await call.run(['update-grub'], { stdin: '' });
  return going.map((name) => `Removing ${name} ...\n`).join('');
}

const aptCache: Program = (call) => {
  const [verb, ...names] = call.args.filter((arg) => !arg.startsWith('-'));
  if (verb !== 'policy' && verb !== 'show') return '';
  const installed = readStatus(call.fs);
  const archive = offers(call);
  return names
    .map(
      (name) =>
        `${name}:\n  Installed: ${installed.get(name)?.version ?? '(none)'}\n  Candidate: ${archive.get(name)?.version ?? installed.get(name)?.version ?? '(none)'}\n`,
    )
    .join('');
};

export const APT_PROGRAMS: Programs = { 'apt-get': aptGet, apt: aptGet, 'apt-cache': aptCache };
