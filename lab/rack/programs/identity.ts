/**
 * Who, where, what runs: users, processes, devices in use, time.
 * @module
 */
import { FIRST_SERVER_GPUS } from '../pci/device.js';
import { delay } from '../machine/clock.js';
import { fail, parseArgs, type Call, type Program, type Programs } from '../shell/program.js';

const sudo: Program = async (call) => {
  const { values, rest } = parseArgs(call.args, ['-u', '--user', '-g', '-p', '-C'], true);
  const user = values.get('-u')?.[0] ?? values.get('--user')?.[0] ?? 'root';
  if (rest.length === 0)
    return call.args.includes('-v') || call.args.includes('-l') ? '' : fail(1, 'usage: sudo command');
  const rule =
    call.fs.uid === 0 ||
    /^ubuntu\s+ALL=\(ALL(?::ALL)?\)\s*NOPASSWD:\s*ALL/m.test(
      call.kernel.fileSystem(0).text('/etc/sudoers.d/90-cloud-init-users') ?? '',
    );
  if (!rule)
    return fail(
      1,
      call.args.includes('-n') ? 'sudo: a password is required' : 'sudo: a terminal is required to read the password',
    );
  const assignments = rest.filter(
    (word, index) => /^\w+=/.test(word) && rest.slice(0, index).every((earlier) => /^\w+=/.test(earlier)),
  );
  const env = Object.fromEntries(
    assignments.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
  return call.run(rest.slice(assignments.length), {
    uid: user === 'root' ? 0 : 1000,
    env: { SUDO_USER: 'ubuntu', ...env },
  });
};

const id: Program = (call) => {
  const { flags } = parseArgs(call.args);
  const name = call.fs.uid === 0 ? 'root' : 'ubuntu';
  const number = call.fs.uid;
  if (flags.has('-u') || flags.has('-g')) return flags.has('-n') ? `${name}\n` : `${number}\n`;
  return `uid=${number}(${name}) gid=${number}(${name}) groups=${number}(${name})${number === 0 ? '' : ',27(sudo)'}\n`;
};

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
      stat: 'Sl',
      command: workload.command,
    })),
  ];
}

const programName = (row: ProcessRow): string => row.command.split(' ')[0]?.split('/').at(-1) ?? '';

const column = (row: ProcessRow, name: string): string => {
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
  const lines = rows.map((row) => columns.map(({ name }) => column(row, name)).join(' '));
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

const nvidiaSmi: Program = (call) => {
  const { bus, machine } = call.kernel;
  if (!bus.drivers.has('nvidia'))
    return {
      exitCode: 9,
      stdout:
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
    };
  const gpus = [...bus.states.values()].filter((state) => state.driver === 'nvidia');
  if (gpus.length === 0) return { exitCode: 6, stdout: 'No devices were found\n' };
  const uuid = (address: string): string =>
    `GPU-${Buffer.from(machine.serial + address)
      .toString('hex')
      .padEnd(32, '0')
      .slice(0, 8)}-0000-0000-0000-${address.replaceAll(/[^0-9a-f]/g, '').padStart(12, '0')}`;
  if (call.args.includes('-L'))
    return gpus
      .map(({ device }, index) => `GPU ${index}: NVIDIA H100 80GB HBM3 (UUID: ${uuid(device.address)})\n`)
      .join('');
  const apps = call.args.find((arg) => arg.startsWith('--query-compute-apps'));
  if (apps !== undefined) {
    const header = call.args.some((arg) => arg.includes('noheader'))
      ? ''
      : 'pid, process_name, used_gpu_memory [MiB]\n';
    const fields = apps.slice(apps.indexOf('=') + 1).split(',');
    const rows = machine.workloads.flatMap((workload, index) => {
      if (workload.kind !== 'gpu') return [];
      const values: Readonly<Record<string, string>> = {
        pid: String(9_000 + index),
        process_name: workload.command,
        name: workload.command,
        gpu_uuid: uuid(gpus[0]?.device.address ?? ''),
        used_memory: '4096 MiB',
        used_gpu_memory: '4096 MiB',
        gpu_bus_id: `0000${gpus[0]?.device.address ?? ''}`,
      };
      return [fields.map((field) => values[field] ?? '[N/A]').join(', ')];
    });
    return header + rows.map((row) => `${row}\n`).join('');
  }
  const query = call.args.find((arg) => arg.startsWith('--query-gpu'));
  if (query !== undefined) {
    const fields = query.slice(query.indexOf('=') + 1).split(',');
    return gpus
      .map(({ device }, index) => {
        const values: Readonly<Record<string, string>> = {
          index: String(index),
          name: 'NVIDIA H100 80GB HBM3',
          uuid: uuid(device.address),
          pci_bus_id: `0000${device.address.toUpperCase()}`,
          'pci.bus_id': `0000${device.address.toUpperCase()}`,
          driver_version: '580.95.05',
          'mig.mode.current': 'Disabled',
        };
        return fields.map((field) => values[field] ?? '[N/A]').join(', ');
      })
      .map((line) => `${line}\n`)
      .join('');
  }
  return `NVIDIA-SMI 580.95.05  ${gpus.length} of ${FIRST_SERVER_GPUS.length} GPUs\n`;
};

const who: Program = (call) => {
  if (call.args.includes('-b'))
    return `         system boot  ${new Date(call.kernel.startedAt).toISOString().slice(0, 16).replace('T', ' ')}\n`;
  return call.kernel.machine.workloads
    .filter(({ kind }) => kind === 'user')
    .map(({ user = 'root' }, index) => `${user} pts/${index} 2026-11-24 09:12 (192.0.2.7)\n`)
    .join('');
};

const loginctl: Program = (call) =>
  call.kernel.machine.workloads
    .filter(({ kind }) => kind === 'user')
    .map(({ user = 'root' }, index) => `${index + 3} ${user === 'root' ? 0 : 1000} ${user} seat0 pts/${index}\n`)
    .join('');

const sleep: Program = async (call) => {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
  const seconds = call.args
    .map((arg) => Number.parseFloat(arg) * (units[arg.at(-1) ?? 's'] ?? 1))
    .reduce((sum, value) => sum + value, 0);
  if (call.args[0] === 'infinity') await delay(2_000_000_000, call.signal);
  if (Number.isNaN(seconds)) return fail(1, `sleep: invalid time interval '${call.args[0] ?? ''}'`);
  await delay(seconds * 1000, call.signal);
  return '';
};

const logger: Program = (call) => {
  const { values, rest } = parseArgs(call.args, ['-t', '-p', '--tag', '--priority']);
  const text = rest.length === 0 ? call.stdin().trimEnd() : rest.join(' ');
  const { machine, parameters } = call.kernel;
  machine.journal.add({
    bootId: parameters.bootId,
    at: Date.now(),
    identifier: values.get('-t')?.[0] ?? values.get('--tag')?.[0] ?? 'root',
    unit: call.process.spec.unit ?? null,
    text,
  });
  return '';
};

/** Runs the rest of its arguments: nohup, setsid, nice, ionice, stdbuf. */
const wrapper =
  (withValue: readonly string[] = []): Program =>
  (call) =>
    call.run(parseArgs(call.args, withValue, true).rest);

const hostname: Program = (call) =>
  call.args.includes('-I')
    ? `${call.kernel.machine.options.nodeIP ?? '127.0.0.1'} \n`
    : `${call.kernel.machine.name}\n`;

const constant =
  (text: string, exitCode = 0): Program =>
  () => ({ stdout: text, exitCode });

const timedatectl: Program = (call) => {
  const wanted = call.args.flatMap((arg, index) =>
    arg === '-p'
      ? [call.args[index + 1] ?? '']
      : arg.startsWith('--property=')
        ? [arg.slice('--property='.length)]
        : [],
  );
  const values: Readonly<Record<string, string>> = { NTPSynchronized: 'yes', NTP: 'yes', Timezone: 'Etc/UTC' };
  if (wanted.length === 0) return 'System clock synchronized: yes\nNTP service: active\n';
  return wanted
    .map((name) => (call.args.includes('--value') ? `${values[name] ?? ''}\n` : `${name}=${values[name] ?? ''}\n`))
    .join('');
};

const ip: Program = (call) => {
  const address = call.kernel.machine.options.nodeIP ?? '192.0.2.11';
  const words = call.args.filter((arg) => !arg.startsWith('-'));
  if (words[0]?.startsWith('r') === true)
    return `default via ${address.replace(/\.\d+$/, '.1')} dev eno1 proto static\n`;
  if (call.args.some((arg) => arg.startsWith('-j')))
    return `${JSON.stringify([
      { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
      { ifname: 'eno1', operstate: 'UP', addr_info: [{ family: 'inet', local: address, prefixlen: 24 }] },
    ])}\n`;
  return `1: lo    inet 127.0.0.1/8 scope host lo\n2: eno1    inet ${address}/24 brd ${address.replace(/\.\d+$/, '.255')} scope global eno1\n`;
};

const ss: Program = (call) =>
  [
    'State  Recv-Q Send-Q Local Address:Port Peer Address:Port',
    'LISTEN 0 128 0.0.0.0:22 0.0.0.0:*',
    ...[...call.kernel.machine.ports.keys()].map((port) => `LISTEN 0 4096 *:${port} *:*`),
  ]
    .map((line) => `${line}\n`)
    .join('');

export const IDENTITY_PROGRAMS: Programs = {
  sudo,
  id,
  ps,
  pgrep,
  kill,
  fuser,
  who,
  loginctl,
  sleep,
  logger,
  hostname,
  timedatectl,
  ip,
  ss,
  'nvidia-smi': nvidiaSmi,
  lsof: constant('', 1),
  lslocks: constant(''),
  nohup: wrapper(),
  setsid: wrapper(),
  nice: wrapper(['-n']),
  ionice: wrapper(['-c', '-n']),
  stdbuf: wrapper(['-o', '-e', '-i']),
  nproc: constant('224\n'),
  lsb_release: (call) =>
    call.args.includes('-cs') || call.args.includes('-sc')
      ? 'noble\n'
      : call.args.includes('-rs') || call.args.includes('-sr')
        ? '24.04\n'
        : 'Description:\tUbuntu 24.04.3 LTS\n',
  'cloud-init': constant('status: done\n'),
  hostnamectl: (call) => `${call.kernel.machine.name}\n`,
  mokutil: (call) => (call.args.includes('--sb-state') ? 'SecureBoot disabled\nPlatform is in Setup Mode\n' : ''),
  efibootmgr: constant(
    'BootCurrent: 0001\nTimeout: 3 seconds\nBootOrder: 0001,0002\nBoot0001* ubuntu\tHD(1,GPT,…)/File(\\EFI\\ubuntu\\shimx64.efi)\nBoot0002* PXE\n',
  ),
  getent: (call) =>
    call.args[0] === 'hosts' ? `${call.kernel.machine.options.nodeIP ?? '127.0.0.1'} ${call.args[1] ?? ''}\n` : '',
  arch: constant('x86_64\n'),
  uptime: (call) =>
    ` up ${Math.floor(call.kernel.uptimeSeconds / 60)} min,  0 users,  load average: 0.42, 0.40, 0.38\n`,
  last: constant(''),
  free: constant(
    '               total        used        free\nMem:      2113372160    30000000  2083372160\nSwap:              0           0           0\n',
  ),
  swapon: constant(''),
  ufw: constant('Status: inactive\n'),
  chronyc: constant(''),
  tty: constant('not a tty\n', 1),
  // Shell built-ins that just-bash lacks; none of them changes what a script here does.
  umask: constant(''),
  ulimit: constant('unlimited\n'),
  trap: constant(''),
};
