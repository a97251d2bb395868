/**
 * apt and dpkg.
 * @module
 */
import { KERNEL_MODULES } from '../pci/modules.js';
import { delay } from '../machine/clock.js';
import { readStatus, writeStatus } from '../packages/database.js';
import { FILE_OWNERS, MIRROR, type Package } from '../packages/table.js';
import { fail, parseArgs, type Call, type Program, type ProgramResult, type Programs } from '../shell/program.js';

/** Unpacking and configuring one package. */
const PACKAGE_MS = 15;
const LOCK = '/var/lib/dpkg/lock-frontend';
const MANUAL_PATH = '/var/lib/apt/extended_states';

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

async function install(call: Call, words: readonly string[], simulate: boolean): Promise<ProgramResult> {
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

function manual(call: Call): ReadonlySet<string> {
  return new Set((call.fs.text(MANUAL_PATH) ?? '').split('\n').filter((line) => line !== ''));
}

function markManual(call: Call, name: string, isManual: boolean): void {
  const names = new Set(manual(call));
  if (isManual) names.add(name);
  else names.delete(name);
  call.fs.put(
    MANUAL_PATH,
    [...names]
      .toSorted()
      .map((line) => `${line}\n`)
      .join(''),
  );
}

const aptMark: Program = (call) => {
  const [verb = '', ...names] = call.args.filter((arg) => !arg.startsWith('-'));
  const installed = new Map(readStatus(call.fs));
  switch (verb) {
    case 'hold':
    case 'unhold': {
      let stdout = '';
      for (const name of names) {
        const present = installed.get(name);
        if (present === undefined)
          return fail(
            100,
            `E: Can't select installed nor candidate version from package ${name} as it has neither of them\nE: No packages found`,
          );
        const held = present.status.startsWith('hold');
        if (held === (verb === 'hold')) {
          stdout += `${name} was already ${held ? '' : 'not '}on hold.\n`;
          continue;
        }
        installed.set(name, { ...present, status: `${verb === 'hold' ? 'hold' : 'install'} ok installed` });
        stdout += verb === 'hold' ? `${name} set on hold.\n` : `Canceled hold on ${name}.\n`;
      }
      writeStatus(call.fs, installed);
      return stdout;
    }
    case 'showhold':
    case 'showholds':
      return [...installed.values()]
        .filter(({ name, status }) => status.startsWith('hold') && (names.length === 0 || names.includes(name)))
        .map(({ name }) => `${name}\n`)
        .join('');
    case 'showmanual':
      return [...manual(call)]
        .filter((name) => names.length === 0 || names.includes(name))
        .map((name) => `${name}\n`)
        .join('');
    case 'showauto':
      return [...installed.keys()]
        .filter((name) => !manual(call).has(name) && (names.length === 0 || names.includes(name)))
        .map((name) => `${name}\n`)
        .join('');
    case 'manual':
    case 'auto':
      for (const name of names) markManual(call, name, verb === 'manual');
      return names
        .map((name) => `${name} set to ${verb === 'manual' ? 'manually' : 'automatically'} installed.\n`)
        .join('');
    default:
      return fail(100, `E: Invalid operation ${verb}`);
  }
};

const ABBREVIATIONS: Readonly<Record<string, string>> = {
  'install ok installed': 'ii ',
  'hold ok installed': 'hi ',
  'install ok half-configured': 'iF ',
  'install ok unpacked': 'iU ',
};

const globs = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);

function queried(call: Call, patterns: readonly string[], format: string): ProgramResult {
  const installed = [...readStatus(call.fs).values()];
  let stdout = '';
  let stderr = '';
  for (const pattern of patterns.length === 0 ? ['*'] : patterns) {
    const found = installed.filter(({ name }) => globs(pattern.replace(/:amd64$/, '')).test(name));
    if (found.length === 0) stderr += `dpkg-query: no packages found matching ${pattern}\n`;
    for (const { name, status, version } of found) {
      const fields: Readonly<Record<string, string>> = {
        Package: name,
        'binary:Package': name,
        Version: version,
        Status: status,
        Architecture: 'amd64',
        'db:Status-Abbrev': ABBREVIATIONS[status] ?? 'un ',
        'db:Status-Status': status.split(' ')[2] ?? '',
        'db:Status-Want': status.split(' ')[0] ?? '',
      };
      stdout += format
        .replaceAll(/\$\{([\w:-]+)(?:;-?\d+)?\}/g, (_, field: string) => fields[field] ?? '')
        .replaceAll('\\n', '\n')
        .replaceAll('\\t', '\t');
    }
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
}

const dpkgQuery: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-f', '--showformat']);
  if (flags.has('-W') || flags.has('--show'))
    return queried(
      call,
      rest,
      values.get('-f')?.[0] ?? values.get('--showformat')?.[0] ?? '${binary:Package}\t${Version}\n',
    );
  if (flags.has('-S') || flags.has('--search')) return searched(call, rest);
  return queried(call, rest, '${db:Status-Abbrev} ${Package} ${Version} amd64\n');
};

function searched(call: Call, paths: readonly string[]): ProgramResult {
  let stdout = '';
  let stderr = '';
  for (const path of paths) {
    const listed = call.fs
      .list('/var/lib/dpkg/info')
      .find((name) => (call.fs.text(`/var/lib/dpkg/info/${name}`) ?? '').split('\n').includes(path));
    const owner = listed?.replace(/\.list$/, '') ?? FILE_OWNERS[path];
    if (owner === undefined) stderr += `dpkg-query: no path found matching pattern ${path}\n`;
    else stdout += `${owner}: ${path}\n`;
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
}

const dpkg: Program = (call) => {
  const { flags, rest } = parseArgs(call.args);
  if (flags.has('--audit') || flags.has('-C')) {
    const broken = [...readStatus(call.fs).values()].filter(({ status }) => !status.endsWith(' installed'));
    return broken.length === 0
      ? ''
      : `The following packages are only half configured:\n${broken.map(({ name }) => ` ${name}\n`).join('')}`;
  }
  if (flags.has('-S') || flags.has('--search')) return searched(call, rest);
  if (flags.has('-l') || flags.has('--list'))
    return queried(call, rest, '${db:Status-Abbrev} ${Package} ${Version} amd64\n');
  if (flags.has('-s') || flags.has('--status'))
    return queried(call, rest, 'Package: ${Package}\nStatus: ${Status}\nVersion: ${Version}\n');
  if (flags.has('--print-architecture')) return 'amd64\n';
  if (flags.has('--configure')) {
    const installed = new Map(
      [...readStatus(call.fs)].map(([name, entry]) => [
        name,
        { ...entry, status: entry.status.replace(/ half-configured$| unpacked$/, ' installed') },
      ]),
    );
    writeStatus(call.fs, installed);
    return '';
  }
  if (flags.has('--compare-versions')) return fail(2, 'dpkg: --compare-versions is not played here');
  return fail(2, `dpkg: error: unknown option`);
};

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

export const PACKAGE_PROGRAMS: Programs = {
  'apt-get': aptGet,
  apt: aptGet,
  'apt-mark': aptMark,
  'apt-cache': aptCache,
  'dpkg-query': dpkgQuery,
  dpkg,
};
