/**
 * Processes, and who holds a device open.
 * @module
 */
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';

interface ProcessRow {
  readonly pid: number;
  readonly user: string;
  readonly stat: string;
  readonly command: string;
}

const KERNEL_THREADS: readonly ProcessRow[] = [
  { pid: 1, user: 'root', stat: 'Ss', command: '/sbin/init' },
  { pid: 2, user: 'root', stat: 'S', command: '[kthreadd]' },
  { pid: 402, user: 'root', stat: 'Ss', command: '/usr/lib/systemd/systemd-journald' },
];

function processes(call: Call): readonly ProcessRow[] {
  const { kernel } = call;
  return [
    ...KERNEL_THREADS,
    ...[...kernel.processes.values()].map((process): ProcessRow => ({
      pid: process.pid,
      user: process.spec.uid === 0 ? 'root' : 'ubuntu',
      stat: 'S',
      command: process.commandLine,
    })),
    ...kernel.machine.workloads.map((workload, index): ProcessRow => ({
      pid: 9_000 + index,
      user: workload.user ?? 'root',
      stat: workload.state ?? 'Sl',
      command: workload.command,
    })),
  ];
}

const programName = (row: ProcessRow): string => row.command.split(' ')[0]?.split('/').at(-1) ?? '';

const columnOf = (row: ProcessRow, name: string): string => {
  switch (name) {
    case 'pid':
      return String(row.pid);
    case 'ppid':
      return row.pid === 1 ? '0' : '1';
    case 'user':
    case 'euser':
    case 'ruser':
      return row.user;
    case 'uid':
      return row.user === 'root' ? '0' : '1000';
    case 'stat':
      return row.stat;
    case 'state':
    case 's':
      return row.stat.charAt(0);
    case 'comm':
    case 'ucmd':
      return programName(row).slice(0, 15);
    case 'args':
    case 'cmd':
    case 'command':
      return row.command;
    default:
      return '-';
  }
};

const ps: Program = (call) => {
  const { flags, values } = parseArgs(call.args, ['-o', '-C', '-p', '--ppid', '-u', '-U', '--sort']);
  const spec = values
    .get('-o')
    ?.join(',')
    .split(/[,\s]+/) ?? ['pid', 'tty', 'time', 'cmd'];
  const columns = spec.map((word) => {
    const [name = '', title] = word.split('=');
    return { name: name.split(':')[0] ?? '', head: title ?? name.toUpperCase() };
  });
  const names = values.get('-C')?.[0]?.split(',');
  const pids = values.get('-p')?.[0]?.split(',');
  const rows = processes(call).filter(
    (row) =>
      (names === undefined || names.includes(programName(row))) &&
      (pids === undefined || pids.includes(String(row.pid))),
  );
  const headless =
    flags.has('--no-headers') ||
    flags.has('--no-heading') ||
    (values.has('-o') && columns.every((column) => column.head === ''));
  const lines = rows.map((row) => columns.map(({ name }) => columnOf(row, name)).join(' '));
  return {
    stdout: [...(headless ? [] : [columns.map(({ head }) => head).join(' ')]), ...lines]
      .map((line) => `${line}\n`)
      .join(''),
    exitCode: rows.length > 0 ? 0 : 1,
  };
};

const pgrep: Program = (call) => {
  const { flags, rest } = parseArgs(call.args, ['-u', '-U']);
  const expression = new RegExp(rest[0] ?? '');
  const found = processes(call).filter(
    (row) =>
      expression.test(flags.has('-f') ? row.command : (row.command.split(' ')[0]?.split('/').at(-1) ?? '')) &&
      row.pid !== call.process.pid,
  );
  return {
    stdout: found.map((row) => `${row.pid}${flags.has('-a') ? ` ${row.command}` : ''}\n`).join(''),
    exitCode: found.length > 0 ? 0 : 1,
  };
};

const kill: Program = (call) => {
  const signal = call.args.find((arg) => arg.startsWith('-'))?.slice(1) ?? 'TERM';
  for (const word of call.args.filter((arg) => !arg.startsWith('-'))) {
    const target = call.kernel.processes.get(Number(word));
    if (target === undefined) return fail(1, `kill: (${word}) - No such process`);
    if (signal !== '0')
      target.kill({ 9: 'KILL', 15: 'TERM', 1: 'HUP', 2: 'INT' }[signal] ?? signal.replace(/^SIG/, ''));
  }
  return '';
};

const fuser: Program = (call) => {
  const paths = call.args.filter((arg) => !arg.startsWith('-'));
  if (!paths.some((path) => path.startsWith('/dev/nvidia'))) return fail(1, '');
  const pids = call.kernel.machine.workloads.flatMap((workload, index) =>
    workload.kind === 'gpu' ? [9_000 + index] : [],
  );
  return pids.length === 0 ? fail(1, '') : `${pids.map((pid) => ` ${pid}`).join('')}\n`;
};

export const PROCESS_PROGRAMS: Programs = { ps, pgrep, kill, fuser };
