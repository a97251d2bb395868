/**
 * Block devices, LVM, multipath.
 * @module
 */
import { fail, parseArgs, type Call, type Program, type ProgramResult, type Programs } from '../shell/program.js';
import { EFI_UUID } from '../machine/file-systems.js';

interface Block {
  readonly name: string;
  readonly size: number;
  readonly type: 'disk' | 'part';
  readonly fstype: string | null;
  readonly mountpoint: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly uuid: string | null;
  readonly children?: readonly Block[];
}

const partition = (name: string, size: number, fstype: string, mountpoint: string, uuid: string): Block => ({
  name,
  size,
  type: 'part',
  fstype,
  mountpoint,
  model: null,
  serial: null,
  uuid,
});

function blocks(call: Call): readonly Block[] {
  return [
    {
      name: 'nvme0n1',
      size: 960_197_124_096,
      type: 'disk',
      fstype: null,
      mountpoint: null,
      model: 'SAMSUNG MZQL2960HCJR-00A07',
      serial: 'S64FNE0R000001',
      uuid: null,
      children: [
        partition('nvme0n1p1', 1_127_219_200, 'vfat', '/boot/efi', EFI_UUID),
        partition('nvme0n1p2', 959_067_807_744, 'ext4', '/', call.kernel.machine.rootUuid),
      ],
    },
    ...call.kernel.machine.disks.map((disk): Block => ({
      name: disk.name,
      size: disk.bytes,
      type: 'disk',
      fstype: call.kernel.machine.signatures.get(disk.name) ?? null,
      mountpoint: null,
      model: disk.model,
      serial: disk.serial,
      uuid: null,
    })),
  ];
}

const shown = (block: Block): Readonly<Record<string, unknown>> => ({
  ...block,
  path: `/dev/${block.name}`,
  mountpoints: block.mountpoint === null ? [null] : [block.mountpoint],
  rota: false,
  ro: false,
  'maj:min': '259:0',
  pttype: block.children === undefined ? null : 'gpt',
});

const printed = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const lsblk: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-o', '--output', '-e', '-I']);
  const columns = (values.get('-o')?.[0] ?? values.get('--output')?.[0] ?? 'name,size,type,mountpoints')
    .toLowerCase()
    .split(',');
  const wanted = blocks(call).filter(
    (block) =>
      rest.length === 0 ||
      rest.some(
        (path) =>
          path === `/dev/${block.name}` || block.children?.some((child) => `/dev/${child.name}` === path) === true,
      ),
  );
  if (rest.length > 0 && wanted.length === 0) return fail(32, `lsblk: ${rest[0] ?? ''}: not a block device`);
  const pick = (block: Block): Record<string, unknown> => {
    const all = shown(block);
    return Object.fromEntries(
      columns.map((name) => [
        name,
        name === 'size' && !flags.has('-b') && !flags.has('--bytes')
          ? `${(block.size / 2 ** 30).toFixed(1)}G`
          : (all[name] ?? null),
      ]),
    );
  };
  const nested = (block: Block): Record<string, unknown> => ({
    ...pick(block),
    ...(block.children === undefined || flags.has('-d') || flags.has('--nodeps')
      ? {}
      : { children: block.children.map(nested) }),
  });
  if (flags.has('-J') || flags.has('--json'))
    return `${JSON.stringify({ blockdevices: wanted.map(nested) }, null, 3)}\n`;
  const flat = wanted.flatMap((block) => [block, ...(flags.has('-d') ? [] : (block.children ?? []))]);
  const rows = flat.map((block) => columns.map((name) => printed(pick(block)[name])).join(' '));
  return [...(flags.has('-n') ? [] : [columns.join(' ').toUpperCase()]), ...rows].map((line) => `${line}\n`).join('');
};

/** fstab against what is there. */
function verified(call: Call): ProgramResult {
  const missing = call.kernel.machine.missingMounts(call.fs);
  if (missing.length === 0) return 'Success, no errors or warnings detected\n';
  const lines = missing.map((what) => `   [E] unreachable on boot required source: ${what}\n`);
  return { stdout: `/\n${lines.join('')}\n0 parse errors, ${missing.length} errors, 0 warnings\n`, exitCode: 1 };
}

const findmnt: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, [
    '-o',
    '--output',
    '-T',
    '--target',
    '-M',
    '--mountpoint',
    '-S',
    '-t',
  ]);
  if (flags.has('--verify') || flags.has('-x')) return verified(call);
  const columns = (values.get('-o')?.[0] ?? values.get('--output')?.[0] ?? 'TARGET,SOURCE,FSTYPE,OPTIONS')
    .toUpperCase()
    .split(',');
  const mounts = call.kernel.machine.mountTable().map((line): Readonly<Record<string, string>> => {
    const [source = '', target = '', fstype = '', options = ''] = line.split(' ');
    const uuid = target === '/' ? call.kernel.machine.rootUuid : target === '/boot/efi' ? EFI_UUID : '';
    return { SOURCE: source, TARGET: target, FSTYPE: fstype, OPTIONS: options, UUID: uuid };
  });
  const below = values.get('-T')?.[0] ?? values.get('--target')?.[0];
  const exact = values.get('-M')?.[0] ?? values.get('--mountpoint')?.[0] ?? rest[0];
  const found =
    below !== undefined
      ? mounts
          .filter(
            ({ TARGET = '' }) =>
              TARGET === '/' || call.path(below) === TARGET || call.path(below).startsWith(`${TARGET}/`),
          )
          .toSorted((a, b) => (b['TARGET']?.length ?? 0) - (a['TARGET']?.length ?? 0))
          .slice(0, 1)
      : exact !== undefined
        ? mounts.filter(({ TARGET, SOURCE }) => TARGET === exact || SOURCE === exact)
        : mounts;
  if (found.length === 0) return { exitCode: 1 };
  if (flags.has('-J') || flags.has('--json'))
    return `${JSON.stringify({ filesystems: found.map((mount) => Object.fromEntries(columns.map((name) => [name.toLowerCase(), mount[name] ?? null]))) })}\n`;
  return [
    ...(flags.has('-n') || flags.has('--noheadings') ? [] : [columns.join(' ')]),
    ...found.map((mount) => columns.map((name) => mount[name] ?? '').join(' ')),
  ]
    .map((line) => `${line}\n`)
    .join('');
};

/** The disks and partitions named, or all. */
const named = (call: Call, paths: readonly string[]): readonly Block[] =>
  blocks(call)
    .flatMap((block) => [block, ...(block.children ?? [])])
    .filter((block) => paths.length === 0 || paths.includes(`/dev/${block.name}`));

/** What is written on them: partitions count as the table. */
const signatureOf = (block: Block): string | null => block.fstype ?? (block.children === undefined ? null : 'gpt');

/** Only looking: `--no-act`. */
const wipefs: Program = (call) => {
  const { flags, rest } = parseArgs(call.args, ['-o', '--output', '-O']);
  if (flags.has('-a') || flags.has('--all') || !(flags.has('-n') || flags.has('--no-act')))
    return fail(2, 'lab: wipefs only looks here: --no-act');
  const found = named(call, rest);
  if (found.length === 0) return fail(1, `wipefs: error: ${rest[0] ?? ''}: probing initialization failed`);
  return found.map((block) => (signatureOf(block) === null ? '' : `${signatureOf(block)}\n`)).join('');
};

const blkid: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-s', '-o', '--output', '-U', '-L']);
  if (flags.has('-p') || flags.has('--probe')) {
    const signatures = named(call, rest).flatMap((block) => signatureOf(block) ?? []);
    return signatures.length === 0 ? { exitCode: 2 } : signatures.map((name) => `TYPE=${name}\n`).join('');
  }
  const found = named(call, rest).filter((block) => block.fstype !== null);
  if (found.length === 0) return { exitCode: 2 };
  if (values.get('-o')?.[0] === 'value')
    return found
      .map((block) => `${values.get('-s')?.[0] === 'TYPE' ? (block.fstype ?? '') : (block.uuid ?? '')}\n`)
      .join('');
  return found.map((block) => `/dev/${block.name}: UUID="${block.uuid ?? ''}" TYPE="${block.fstype ?? ''}"\n`).join('');
};

/** `lvmconfig [--type full] SECTION/KEY`, from /etc/lvm/lvm.conf and its last uncommented setting. */
const lvmconfig: Program = (call) => {
  const key = call.args.findLast((arg) => arg.includes('/')) ?? '';
  const name = key.split('/')[1] ?? '';
  const text = call.fs.text('/etc/lvm/lvm.conf') ?? '';
  const open = text.split('\n').filter((line) => !line.trim().startsWith('#'));
  const balance = open.join('\n').split('{').length - open.join('\n').split('}').length;
  if (balance !== 0)
    return fail(
      5,
      `Parse error at byte ${text.length}: unexpected token\n  Failed to load config file /etc/lvm/lvm.conf`,
    );
  const line = open.findLast(
    (candidate) => candidate.trim().startsWith(`${name}=`) || candidate.trim().startsWith(`${name} `),
  );
  if (line === undefined) return fail(5, `  Configuration node ${key} not found`);
  const value = line
    .slice(line.indexOf('=') + 1)
    .trim()
    .replaceAll(/\s*,\s*/g, ',')
    .replace(/^\[\s*/, '[')
    .replace(/\s*\]$/, ']');
  return `${name}=${value}\n`;
};

const multipathConfig = (call: Call): string =>
  [
    '/etc/multipath.conf',
    ...call.fs
      .list('/etc/multipath/conf.d')
      .filter((name) => name.endsWith('.conf'))
      .map((name) => `/etc/multipath/conf.d/${name}`),
  ]
    .map((path) => call.fs.text(path) ?? '')
    .join('');

const multipathd: Program = (call) => {
  if (call.args[0] === 'show' && call.args[1] === 'config') {
    if (call.kernel.systemd?.load('multipathd.service').active !== 'active')
      return fail(1, 'error -1 receiving packet');
    return multipathConfig(call);
  }
  return 'ok\n';
};

const nothing: Program = () => '';

export const STORAGE_PROGRAMS: Programs = {
  lsblk,
  findmnt,
  blkid,
  lvmconfig,
  multipathd,
  multipath: (call) => (call.args.includes('-t') ? multipathConfig(call) : ''),
  mountpoint: (call) => {
    const path = call.args.findLast((arg) => !arg.startsWith('-')) ?? '';
    return {
      exitCode: call.kernel.machine.mountTable().some((line) => line.split(' ')[1] === call.path(path)) ? 0 : 32,
    };
  },
  mount: (call) =>
    call.args.length === 0
      ? `${call.kernel.machine
          .mountTable()
          .map((line) => line.split(' '))
          .map(
            ([source = '', target = '', type = '', options = '']) => `${source} on ${target} type ${type} (${options})`,
          )
          .join('\n')}\n`
      : '',
  umount: nothing,
  pvs: nothing,
  vgs: nothing,
  lvs: nothing,
  vgck: nothing,
  zpool: () => ({ stdout: '', stderr: 'no pools available\n' }),
  zfs: nothing,
  wipefs,
  partprobe: nothing,
  e2fsck: nothing,
};
