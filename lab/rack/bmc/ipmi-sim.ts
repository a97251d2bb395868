/**
 * OpenIPMI's ipmi_sim: a real RMCP+ peer for the IPMI adapter. Its chassis is a script that keeps the power in a file.
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fruData } from './fru.js';

export interface IpmiSimOptions {
  readonly serial: string;
  readonly model: string;
  readonly credentials: { readonly user: string; readonly password: string };
  /** Messages of the kind `Power Unit | Power off/down` in the event log from the start. */
  readonly events?: number;
  /** The operating system does not react to a soft shutdown. */
  readonly ignoresSoftShutdown?: boolean;
  /** The power supply does not react to anything. */
  readonly stuckPower?: boolean;
}

export interface IpmiSim {
  /** UDP on 127.0.0.1. */
  readonly port: number;
  /** The only one of the usual suites that ipmi_sim 2.0.33 knows; real BMCs know 17 too. */
  readonly cipherSuite: 3;
  power(): Promise<'on' | 'off'>;
  setPower(power: 'on' | 'off'): Promise<void>;
  /** Chassis commands that changed something, in order: `power 0`, `power 1`, `shutdown 1`. */
  commands(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Between two questions whether it answers already. */
const POLL_MS = 50;
const START_LIMIT_MS = 10_000;

export async function startIpmiSim(options: IpmiSimOptions): Promise<IpmiSim> {
  const directory = await mkdtemp(join(tmpdir(), 'ipmi-sim-'));
  const file = (name: string): string => join(directory, name);
  const port = await freeUdpPort();
  await mkdir(file('state'));
  await writeFile(file('power'), '1');
  await writeFile(file('calls'), '');
  await writeFile(file('fru.bin'), fruData(options));
  await writeFile(file('chassis'), chassisScript(file, options));
  await chmod(file('chassis'), 0o755);
  await writeFile(file('lan.conf'), lanConf(port, file('chassis'), options.credentials));
  await writeFile(file('commands.emu'), emuCommands(file('fru.bin'), fruData(options).length, options.events ?? 1));
  const sim = spawn('ipmi_sim', ['-n', '-s', file('state'), '-c', file('lan.conf'), '-f', file('commands.emu')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await answering(sim, port);

  return {
    port,
    cipherSuite: 3,
    power: async () => ((await readFile(file('power'), 'utf8')).trim() === '1' ? 'on' : 'off'),
    setPower: (power) => writeFile(file('power'), power === 'on' ? '1' : '0'),
    commands: async () => (await readFile(file('calls'), 'utf8')).split('\n').filter(Boolean),
    async close() {
      const gone = once(sim, 'exit');
      sim.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true });
    },
  };
}

/** ipmi_sim calls it as `chassis MC get|set PARAMETER [VALUE]`; see ipmi_lan(5). */
function chassisScript(
  file: (name: string) => string,
  { ignoresSoftShutdown = false, stuckPower = false }: IpmiSimOptions,
): string {
  const change = (power: string): string => (stuckPower ? ':' : `echo ${power} > ${file('power')}`);
  return `#!/bin/sh
[ "$2" = set ] && echo "$3 $4" >> ${file('calls')}
case "$2 $3" in
  'get power') echo "power:$(cat ${file('power')})" ;;
  'set power') ${change('"$4"')} ;;
  'set shutdown') ${ignoresSoftShutdown ? ':' : change('0')} ;;
esac
exit 0
`;
}

function lanConf(port: number, chassis: string, { user, password }: IpmiSimOptions['credentials']): string {
  return `name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${chassis} 0x20"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "${user}" "${password}" admin 10 none md2 md5 straight
`;
}

function emuCommands(fruPath: string, fruBytes: number, events: number): string {
  // Record type 2, a discrete event of a power unit (sensor type 9): power off.
  const event = 'sel_add 0x20 0x02 0x00 0x00 0x00 0x00 0x20 0x00 0x04 0x09 0x01 0x6f 0x00 0xff 0xff';
  return `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
${Array.from({ length: events }, () => event).join('\n')}
mc_add_fru_data 0x20 0 ${fruBytes} file 0 "${fruPath}"
mc_enable 0x20
`;
}

/** RMCP ping (ASF presence): the smallest question that a BMC answers. */
const RMCP_PING = Uint8Array.from([6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0, 0, 0]);

async function answering(sim: ChildProcess, port: number): Promise<void> {
  let said = '';
  sim.stderr?.on('data', (chunk) => {
    said += String(chunk);
  });
  const socket = createSocket('udp4').on('error', () => {});
  const answer = once(socket, 'message').then(() => true);
  const deadline = performance.now() + START_LIMIT_MS;
  do {
    if (sim.exitCode !== null) throw new Error(`ipmi_sim ended with ${sim.exitCode}: ${said}`);
    if (performance.now() > deadline) throw new Error(`ipmi_sim does not answer: ${said}`);
    socket.send(RMCP_PING, port, '127.0.0.1');
  } while (!(await Promise.race([answer, delay(POLL_MS, false)])));
  socket.close();
}

async function freeUdpPort(): Promise<number> {
  const probe = createSocket('udp4');
  probe.bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
