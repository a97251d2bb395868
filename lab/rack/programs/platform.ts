/**
 * Answers that are the same on every such host.
 * @module
 */
import { fail, type Program, type Programs } from '../shell/program.js';

const notPlayed: Program = (call) => fail(2, `lab: ${call.name} ${call.args.join(' ')} is not played here`);

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

export const PLATFORM_PROGRAMS: Programs = {
  hostname,
  timedatectl,
  ip,
  ss,
  lsof: constant('', 1),
  lslocks: constant(''),
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
  // Shell built-ins that just-bash lacks. Better no answer than a wrong one: nothing here obeys them.
  umask: (call) => (call.args.length === 0 ? '0022\n' : notPlayed(call)),
  ulimit: (call) => (call.args.some((arg) => /^\d+$/.test(arg)) ? notPlayed(call) : 'unlimited\n'),
  trap: notPlayed,
};
