/**
 * stat, df and realpath.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Entry } from '../disk/entry.js';
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';
import { nameOf } from './copying.js';

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

export const FILE_FACT_PROGRAMS: Programs = { stat, df, realpath };
