/**
 * OpenIPMI's ipmi_sim: a real RMCP+ peer for the IPMI adapter. What its chassis does is a script's business; the one for
 * tests keeps the power in a file.
 * @module
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild, type Child } from '../../tools/child.js';
import { fruData } from './fru.js';

interface IpmiIdentity {
  readonly serial: string;
  readonly model: string;
  readonly credentials: { readonly user: string; readonly password: string };
}

export interface IpmiSimOptions extends IpmiIdentity {
  /** Messages of the kind `Power Unit | Power off/down` in the event log from the start. */
  readonly events?: number;
  /** The operating system does not react to a soft shutdown. */
  readonly ignoresSoftShutdown?: boolean;
  /** The power supply does not react to anything. */
  readonly stuckPower?: boolean;
}

export interface RunningIpmiSim {
  /** UDP on 127.0.0.1. */
  readonly port: number;
  /** The only one of the usual suites that ipmi_sim 2.0.33 knows; real BMCs know 17 too. */
  readonly cipherSuite: 3;
  close(): Promise<void>;
}

export interface IpmiSim extends RunningIpmiSim {
  power(): Promise<'on' | 'off'>;
  setPower(power: 'on' | 'off'): Promise<void>;
  /** Chassis commands that changed something, in order: `power 0`, `power 1`, `shutdown 1`. */
  commands(): Promise<readonly string[]>;
}

/** Between two questions whether it answers already. */
const POLL_MS = 50;
const START_LIMIT_MS = 10_000;

export async function startIpmiSim(options: IpmiSimOptions): Promise<IpmiSim> {
  const directory = await mkdtemp(join(tmpdir(), 'ipmi-chassis-'));
  const file = (name: string): string => join(directory, name);
  await writeFile(file('power'), '1');
  await writeFile(file('calls'), '');
  const sim = await runIpmiSim({ ...options, events: options.events ?? 1, chassis: chassisScript(file, options) });
  return {
    ...sim,
    power: async () => ((await readFile(file('power'), 'utf8')).trim() === '1' ? 'on' : 'off'),
    setPower: (power) => writeFile(file('power'), power === 'on' ? '1' : '0'),
    commands: async () => (await readFile(file('calls'), 'utf8')).split('\n').filter(Boolean),
    async close() {
      await sim.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** A chassis that is two files. */
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

export interface IpmiSimSetup extends IpmiIdentity {
  readonly events: number;
  /**
   * An executable's text. ipmi_sim calls it as `chassis MC get|set PARAMETER [VALUE]`, see ipmi_lan(5), and answers nobody before it
   * has ended; any exit code but 0 reads as completion code 0xff.
   */
  readonly chassis: string;
  /** TCP port of 127.0.0.1 with the serial console, for serial-over-LAN. */
  readonly consolePort?: number;
}

/** Runs ipmi_sim until it is closed; it answers when the promise resolves. */
export async function runIpmiSim(setup: IpmiSimSetup): Promise<RunningIpmiSim> {
  const directory = await mkdtemp(join(tmpdir(), 'ipmi-sim-'));
  const file = (name: string): string => join(directory, name);
  const port = await freeUdpPort();
  const fru = fruData(setup);
  await mkdir(file('state'));
  await writeFile(file('fru.bin'), fru);
  await writeFile(file('chassis'), setup.chassis, { mode: 0o755 });
  await writeFile(file('lan.conf'), lanConf(port, file('chassis'), setup));
  await writeFile(file('commands.emu'), emuCommands(file('fru.bin'), fru.length, setup.events));
  const sim = startChild(['ipmi_sim', '-n', '-s', file('state'), '-c', file('lan.conf'), '-f', file('commands.emu')]);
  const close = async (): Promise<void> => {
    // It has nothing to save.
    sim.kill();
    await sim.exited;
    await rm(directory, { recursive: true });
  };
  try {
    await answering(sim, port);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, cipherSuite: 3, close };
}

function lanConf(
  port: number,
  chassis: string,
  { credentials: { user, password }, consolePort }: Pick<IpmiSimSetup, 'credentials' | 'consolePort'>,
): string {
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
${
  consolePort === undefined
    ? ''
    : `  sol "tcp:127.0.0.1:${consolePort}" 115200
`
}  user 1 true "" "" user 10 none md2 md5 straight
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

async function answering(sim: Child, port: number): Promise<void> {
  let ended = false;
  void sim.exited.then(() => (ended = true));
  const socket = createSocket('udp4').on('error', () => {});
  const answer = once(socket, 'message').then(() => true);
  const deadline = performance.now() + START_LIMIT_MS;
  try {
    do {
      if (ended) throw new Error(`ipmi_sim ended: ${sim.output()}`);
      if (performance.now() > deadline) throw new Error(`ipmi_sim does not answer: ${sim.output()}`);
      socket.send(RMCP_PING, port, '127.0.0.1');
    } while (!(await Promise.race([answer, delay(POLL_MS, false)])));
  } finally {
    socket.close();
  }
}

async function freeUdpPort(): Promise<number> {
  const probe = createSocket('udp4');
  probe.bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}
