/**
 * coreutils and util-linux where just-bash has none, or none that knows owners, modes, renames and durability.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Entry } from '../disk/entry.js';
import type { FileSystem } from '../disk/file-system.js';
import { fail, parseArgs, type Call, type Program, type ProgramResult, type Programs } from '../shell/program.js';

const USERS: Readonly<Record<string, number>> = { root: 0, ubuntu: 1000, nobody: 65534 };
const nameOf = (id: number): string => Object.entries(USERS).find(([, known]) => known === id)?.[0] ?? String(id);
const idOf = (name: string): number | null => USERS[name] ?? (/^\d+$/.test(name) ? Number(name) : null);

/** Runs an action of the file system and reports its error as the program would. */
async function attempt(call: Call, what: string, action: () => void | Promise<void>): Promise<ProgramResult | null> {
  try {
    await action();
    return null;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const reason = /^[A-Z]+: ([^,]+)/.exec(text)?.[1] ?? text;
    return fail(1, `${call.name}: ${what}: ${reason.charAt(0).toUpperCase()}${reason.slice(1)}`);
  }
}

const isDirectory = (fs: FileSystem, path: string): boolean => fs.entry(path)?.kind === 'directory';
const base = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? path;

/** Sources and their destinations: into a directory, or onto a name with `-T`. */
function targets(
  call: Call,
  rest: readonly string[],
  noDirectory: boolean,
  into: string | undefined,
): readonly (readonly [string, string])[] | null {
  const sources = into === undefined ? rest.slice(0, -1) : rest;
  const destination = into ?? rest.at(-1);
  if (destination === undefined || sources.length === 0) return null;
  const inside = into !== undefined || (!noDirectory && isDirectory(call.fs, call.path(destination)));
  return sources.map((source) => [source, inside ? `${destination}/${base(source)}` : destination]);
}

const cp: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, [
    '-t',
    '--target-directory',
    '--preserve',
    '--no-preserve',
    '--sparse',
  ]);
  const archive = flags.has('-a') || flags.has('--archive');
  const pairs = targets(call, rest, flags.has('-T') || flags.has('--no-target-directory'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'cp: missing destination file operand');
  const recursive = archive || flags.has('-r') || flags.has('-R') || flags.has('--recursive');
  for (const [source, destination] of pairs) {
    if (isDirectory(call.fs, call.path(source)) && !recursive)
      return fail(1, `cp: -r not specified; omitting directory '${source}'`);
    const error = await attempt(call, `cannot copy '${source}'`, () =>
      call.fs.copy(call.path(source), call.path(destination), {
        recursive,
        preserve: archive || flags.has('-p') || flags.has('--preserve') || values.has('--preserve'),
        followLinks: !(archive || flags.has('-d') || flags.has('-P')),
      }),
    );
    if (error !== null) return error;
  }
  return '';
};

const mv: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-t', '--target-directory']);
  const pairs = targets(call, rest, flags.has('-T') || flags.has('--no-target-directory'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'mv: missing destination file operand');
  for (const [source, destination] of pairs) {
    if (flags.has('-n') && call.fs.entry(call.path(destination)) !== undefined) continue;
    const error = await attempt(call, `cannot move '${source}' to '${destination}'`, () =>
      call.fs.mv(call.path(source), call.path(destination)),
    );
    if (error !== null) return error;
  }
  return '';
};

const ln: Program = async (call) => {
  const { flags, rest } = parseArgs(call.args);
  const [source = '', given] = rest;
  const target = given ?? base(source);
  const path = call.path(
    isDirectory(call.fs, call.path(target)) && !flags.has('-T') && !flags.has('-n')
      ? `${target}/${base(source)}`
      : target,
  );
  if (flags.has('-f') && call.fs.entry(path) !== undefined) await call.fs.rm(path, { force: true });
  if (flags.has('-f') && flags.has('-s')) await call.fs.rm(path, { force: true });
  const error = await attempt(call, `failed to create ${flags.has('-s') ? 'symbolic' : 'hard'} link '${target}'`, () =>
    flags.has('-s') ? call.fs.symlink(source, path) : call.fs.link(call.path(source), path),
  );
  return error ?? '';
};

const install: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-m', '--mode', '-o', '--owner', '-g', '--group', '-t']);
  const mode = Number.parseInt(values.get('-m')?.[0] ?? values.get('--mode')?.[0] ?? '755', 8);
  const uid = idOf(values.get('-o')?.[0] ?? values.get('--owner')?.[0] ?? String(call.fs.uid)) ?? 0;
  const gid = idOf(values.get('-g')?.[0] ?? values.get('--group')?.[0] ?? String(call.fs.uid)) ?? 0;
  if (flags.has('-d') || flags.has('--directory')) {
    for (const path of rest) {
      const error = await attempt(call, `cannot create directory '${path}'`, async () => {
        await call.fs.mkdir(call.path(path), { recursive: true });
        call.fs.change(call.path(path), { mode, uid, gid });
      });
      if (error !== null) return error;
    }
    return '';
  }
  const pairs = targets(call, rest, flags.has('-T'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'install: missing destination file operand');
  for (const [source, destination] of pairs) {
    const error = await attempt(call, `cannot install '${source}'`, async () => {
      const path = call.path(destination);
      if (flags.has('-D')) await call.fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
      // `install /dev/stdin FILE` takes what is piped in.
      if (source === '/dev/stdin' || source === '-') await call.fs.writeFile(path, call.stdinBytes());
      else call.fs.copy(call.path(source), path, { recursive: false, preserve: false, followLinks: true });
      call.fs.change(path, { mode, uid, gid });
    });
    if (error !== null) return error;
  }
  return '';
};

const chown: Program = async (call) => {
  const { flags, rest } = parseArgs(call.args);
  const [owner = '', ...paths] = rest;
  const [user = '', group] = call.name === 'chgrp' ? ['', owner] : owner.split(/[:.]/);
  const uid = user === '' ? undefined : idOf(user);
  const gid = group === undefined || group === '' ? undefined : idOf(group);
  if (uid === null || gid === null) return fail(1, `${call.name}: invalid user: '${owner}'`);
  for (const path of paths) {
    const all = flags.has('-R')
      ? [call.path(path), ...call.fs.getAllPaths().filter((known) => known.startsWith(`${call.path(path)}/`))]
      : [call.path(path)];
    for (const one of all) {
      const error = await attempt(call, `changing ownership of '${path}'`, () =>
        call.fs.change(
          one,
          { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) },
          !flags.has('-h'),
        ),
      );
      if (error !== null) return error;
    }
  }
  return '';
};

function statFormat(format: string, path: string, entry: Entry, target: string | null): string {
  const size = entry.kind === 'file' ? entry.content.length : entry.kind === 'directory' ? 4096 : 0;
  const kinds = {
    file: size === 0 ? 'regular empty file' : 'regular file',
    directory: 'directory',
    link: 'symbolic link',
    node: 'character special file',
  } as const;
  const inode = Number.parseInt(createHash('sha1').update(path).digest('hex').slice(0, 6), 16);
  const fields: Readonly<Record<string, string>> = {
    a: entry.mode.toString(8),
    u: String(entry.uid),
    g: String(entry.gid),
    U: nameOf(entry.uid),
    G: nameOf(entry.gid),
    s: String(size),
    n: path,
    N: target === null ? `'${path}'` : `'${path}' -> '${target}'`,
    Y: String(Math.floor(entry.mtime / 1000)),
    y: new Date(entry.mtime).toISOString().replace('T', ' ').replace('Z', '000000 +0000'),
    F: kinds[entry.kind],
    h: '1',
    i: String(inode),
    d: '66306',
    '%': '%',
  };
  return format.replaceAll(/%([a-zA-Z%])/g, (whole, letter: string) => fields[letter] ?? whole);
}

const stat: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-c', '--format', '--printf']);
  if (flags.has('-f')) return rest.map((path) => `  File: "${path}"\n    Type: ext2/ext3\n`).join('');
  const format = values.get('-c')?.[0] ?? values.get('--format')?.[0] ?? '  File: %N\n  Size: %s\nAccess: (%a/%u:%g)';
  const printf = values.get('--printf')?.[0]?.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
  let stdout = '';
  let stderr = '';
  for (const path of rest) {
    let link: string | null = null;
    try {
      link = await call.fs.readlink(call.path(path));
    } catch {
      link = null;
    }
    const followed =
      link === null || flags.has('-L') || flags.has('--dereference')
        ? call.fs.entry(call.path(path))
        : ({ kind: 'link', target: link, mode: 0o777, uid: 0, gid: 0, mtime: 0 } as const);
    if (followed === undefined) stderr += `stat: cannot statx '${path}': No such file or directory\n`;
    else
      stdout +=
        printf === undefined
          ? `${statFormat(format, path, followed, link)}\n`
          : statFormat(printf, path, followed, link);
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
};

/** `sync` everything, `sync -f FILE` its file system, `sync FILE` (and `-d`) only that file. */
const sync: Program = (call) => {
  const { flags, rest } = parseArgs(call.args);
  if (rest.length === 0) {
    for (const disk of call.fs.disks()) disk.syncAll();
    return '';
  }
  for (const path of rest) {
    if (call.fs.entry(call.path(path)) === undefined)
      return fail(1, `sync: error opening '${path}': No such file or directory`);
    const { disk, path: real } = call.fs.locate(call.path(path));
    if (flags.has('-f') || flags.has('--file-system')) disk?.syncAll();
    else disk?.fsync(real);
  }
  return '';
};

/** `4`, `1M`: dd's sizes. */
const ddSize = (text: string): number =>
  Number.parseInt(text, 10) * ({ K: 1024, M: 1_048_576, G: 1_073_741_824, k: 1024 }[text.at(-1) ?? ''] ?? 1);

const dd: Program = async (call) => {
  const options = new Map(call.args.map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]));
  const input = options.get('if');
  const block = ddSize(options.get('bs') ?? options.get('ibs') ?? '512');
  const count = options.has('count') ? ddSize(options.get('count') ?? '0') : null;
  let data: Uint8Array;
  if (input === '/dev/zero' || input === '/dev/urandom') data = new Uint8Array(block * (count ?? 1));
  else if (input === undefined) data = call.stdinBytes();
  else if (call.fs.entry(call.path(input)) === undefined)
    return fail(1, `dd: failed to open '${input}': No such file or directory`);
  else data = await call.fs.readFileBuffer(call.path(input));
  const skip = options.has('skip') ? ddSize(options.get('skip') ?? '0') * block : 0;
  data = data.slice(skip, count === null ? undefined : skip + count * block);
  const note = `${Math.ceil(data.length / block)}+0 records in\n${Math.ceil(data.length / block)}+0 records out\n`;
  const output = options.get('of');
  if (output === undefined) return { stdout: data, stderr: options.get('status') === 'none' ? '' : note };
  const error = await attempt(call, `failed to open '${output}'`, () => call.fs.writeFile(call.path(output), data));
  if (error !== null) return error;
  if (/fsync|fdatasync/.test(options.get('conv') ?? '')) {
    const { disk, path } = call.fs.locate(call.path(output));
    disk?.fsync(path);
  }
  return { stderr: options.get('status') === 'none' ? '' : note };
};

let temporary = 0;
const mktemp: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-p', '--tmpdir', '--suffix']);
  const parent = values.get('-p')?.[0] ?? (rest[0]?.includes('/') === true ? '' : '/tmp');
  temporary += 1;
  const unique = temporary.toString(36).padStart(10, '0');
  const template = rest[0] ?? 'tmp.XXXXXXXXXX';
  const name = template.replace(/X{3,}/, (xs) => unique.slice(-xs.length));
  const path = call.path(parent === '' ? name : `${parent}/${name}`);
  const error = await attempt(call, `failed to create file via template '${template}'`, async () => {
    if (flags.has('-d')) await call.fs.mkdir(path);
    else await call.fs.writeFile(path, '');
    call.fs.change(path, { mode: flags.has('-d') ? 0o700 : 0o600 });
  });
  return error ?? `${path}\n`;
};

const DISK_BYTES = 960_197_124_096;
const DISK_FILES = 58_605_568;

interface Space {
  readonly source: string;
  readonly type: string;
  readonly target: string;
  readonly size: number;
  readonly used: number;
}

function spaceOf(call: Call, path: string): Space {
  const { disk, path: real } = call.fs.locate(path);
  if (disk === null)
    return {
      source: 'tmpfs',
      type: 'tmpfs',
      target: `/${real.split('/')[1] ?? ''}`,
      size: 216_000_000_000,
      used: 4_000_000,
    };
  if (real.startsWith('/boot/efi'))
    return { source: '/dev/nvme0n1p1', type: 'vfat', target: '/boot/efi', size: 1_124_999_168, used: 6_463_488 };
  return { source: '/dev/nvme0n1p2', type: 'ext4', target: '/', size: DISK_BYTES, used: 14_000_000_000 };
}

const df: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['--output', '-B', '--block-size', '-t', '-x']);
  const unit = flags.has('-h')
    ? 1_073_741_824
    : Number.parseInt(
        values.get('-B')?.[0] ?? values.get('--block-size')?.[0] ?? (flags.has('-k') ? '1024' : '1024'),
        10,
      );
  const paths = rest.length === 0 ? ['/'] : rest;
  for (const path of paths)
    if (call.fs.entry(call.path(path)) === undefined) return fail(1, `df: ${path}: No such file or directory`);
  const spaces = paths.map((path) => spaceOf(call, call.path(path)));
  const blocks = (bytes: number): string => String(Math.ceil(bytes / unit));
  const fields: Readonly<Record<string, { head: string; of: (space: Space) => string }>> = {
    source: { head: 'Filesystem', of: (space) => space.source },
    fstype: { head: 'Type', of: (space) => space.type },
    size: { head: `${unit}B-blocks`, of: (space) => blocks(space.size) },
    used: { head: 'Used', of: (space) => blocks(space.used) },
    avail: { head: 'Avail', of: (space) => blocks(space.size - space.used) },
    pcent: { head: 'Use%', of: (space) => `${Math.ceil((space.used / space.size) * 100)}%` },
    target: { head: 'Mounted on', of: (space) => space.target },
    itotal: { head: 'Inodes', of: () => String(DISK_FILES) },
    iused: { head: 'IUsed', of: () => '284113' },
    iavail: { head: 'IFree', of: () => String(DISK_FILES - 284_113) },
    ipcent: { head: 'IUse%', of: () => '1%' },
  };
  const chosen =
    values.get('--output')?.flatMap((list) => list.split(',')) ??
    (flags.has('-i')
      ? ['source', 'itotal', 'iused', 'iavail', 'ipcent', 'target']
      : ['source', 'size', 'used', 'avail', 'pcent', 'target']);
  const columns = chosen.map((name) => fields[name]);
  if (columns.some((column) => column === undefined))
    return fail(1, `df: option --output: field '${chosen.join(',')}' unknown`);
  const line = (of: (column: { head: string; of: (space: Space) => string }) => string): string =>
    columns.map((column) => (column === undefined ? '' : of(column))).join(' ');
  return `${[line((column) => column.head), ...spaces.map((space) => line((column) => column.of(space)))].join('\n')}\n`;
};

/** `flock [-n] [-w SECONDS] [-E CODE] [-x|-s] FILE COMMAND…` and `flock FILE -c SCRIPT`. */
const flock: Program = async (call) => {
  const { flags, values, rest } = parseArgs(
    call.args,
    ['-w', '--wait', '--timeout', '-E', '--conflict-exit-code', '-c', '--command'],
    true,
  );
  const [given = '', ...command] = rest;
  const path = call.path(given);
  const conflict = Number(values.get('-E')?.[0] ?? values.get('--conflict-exit-code')?.[0] ?? 1);
  if (call.fs.entry(path) === undefined) {
    const error = await attempt(call, `cannot open lock file ${given}`, () => call.fs.writeFile(path, ''));
    if (error !== null) return fail(66, `flock: cannot open lock file ${given}: No such file or directory`);
  }
  const wait =
    flags.has('-n') || flags.has('--nonblock')
      ? 0
      : Number(values.get('-w')?.[0] ?? values.get('--wait')?.[0] ?? values.get('--timeout')?.[0] ?? Number.NaN) * 1000;
  const release = await call.kernel.locks.take(path, Number.isNaN(wait) ? null : wait, call.signal);
  if (release === null) return { exitCode: conflict };
  try {
    const script =
      values.get('-c')?.[0] ?? values.get('--command')?.[0] ?? (command[0] === '-c' ? command[1] : undefined);
    return await call.run(script === undefined ? command : ['sh', '-c', script]);
  } finally {
    release();
  }
};

const realpath: Program = async (call) => {
  const { flags, rest } = parseArgs(call.args);
  const lines: string[] = [];
  for (const path of rest) {
    try {
      lines.push(await call.fs.realpath(call.path(path)));
    } catch {
      if (!flags.has('-m')) return fail(1, `realpath: ${path}: No such file or directory`);
      lines.push(call.path(path));
    }
  }
  return lines.map((line) => `${line}\n`).join('');
};

const truncate: Program = async (call) => {
  const { values, rest } = parseArgs(call.args, ['-s', '--size']);
  const size = Number.parseInt(values.get('-s')?.[0] ?? values.get('--size')?.[0] ?? '0', 10);
  for (const path of rest) {
    const before = call.fs.entry(call.path(path));
    const content = new Uint8Array(size);
    if (before?.kind === 'file') content.set(before.content.slice(0, size));
    await call.fs.writeFile(call.path(path), content);
  }
  return '';
};

export const FILE_PROGRAMS: Programs = {
  cp,
  mv,
  ln,
  install,
  chown,
  chgrp: chown,
  stat,
  sync,
  dd,
  mktemp,
  df,
  flock,
  realpath,
  truncate,
};
