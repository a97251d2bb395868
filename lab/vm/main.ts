/**
 * `npm run lab:vm -- COMMAND`: one machine that really boots, for hands and eyes.
 * @module
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { thisMachine } from '../tools/workshop.js';
import { baseImage } from './image.js';
import { Machine } from './machine.js';
import { sshArguments, untilReachable } from './reach.js';

const USAGE = `npm run lab:vm -- COMMAND

  up [--uefi]      build the base image if need be, boot a machine, wait for SSH; BIOS unless told otherwise
  ssh [COMMAND…]   a shell on it, or one command
  console          its serial console; Ctrl-] leaves
  power [on|off|cycle|status]
                   off cuts the power, as a BMC would
  reset            the reset button
  down             power off and throw its disk away
`;

const workshop = thisMachine();
const folder = join(workshop.cacheDir, 'boot-lab-machine');
const CTRL_BRACKET = 0x1d;

async function up(options: readonly string[]): Promise<void> {
  const unknown = options.find((option) => option !== '--uefi');
  if (unknown !== undefined) throw new Error(`up ${unknown}: no such option; there is --uefi`);
  const hardware = { firmware: options.includes('--uefi') ? 'uefi' : 'bios' } as const;
  const machine = await Machine.open(folder).catch(async () =>
    Machine.create(folder, await baseImage(workshop), workshop, hardware),
  );
  if (machine.hardware.firmware !== hardware.firmware)
    throw new Error(
      `the machine that is here boots by ${machine.hardware.firmware}; throw it away first: npm run lab:vm -- down`,
    );
  await machine.powerOn();
  const seconds = await untilReachable(machine.ssh);
  process.stdout.write(`up after ${seconds} s: ssh ${sshArguments(machine.ssh).join(' ')}\n`);
}

async function ssh(command: readonly string[]): Promise<void> {
  const machine = await Machine.open(folder);
  const child = spawn('ssh', [...sshArguments(machine.ssh), ...command], { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function attach(): Promise<void> {
  const machine = await Machine.open(folder);
  const stream = connect(machine.consolePort, '127.0.0.1');
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  process.stdin.on('data', (bytes: Buffer) => {
    if (bytes.includes(CTRL_BRACKET)) stream.end();
    else stream.write(bytes);
  });
  stream.pipe(process.stdout);
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    stream.once('close', () => resolve());
  });
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  process.stdin.pause();
}

async function power(what = 'status'): Promise<void> {
  const machine = await Machine.open(folder);
  const actions: Readonly<Record<string, () => Promise<void>>> = {
    on: () => machine.powerOn(),
    off: () => machine.powerOff(),
    cycle: () => machine.powerCycle(),
    status: async () => {
      process.stdout.write(`${await machine.power()}\n`);
    },
  };
  const action = actions[what];
  if (action === undefined)
    throw new Error(`power ${what}: no such action; there are ${Object.keys(actions).join(', ')}`);
  await action();
}

const [command = 'help', ...rest] = process.argv.slice(2);
const commands: Readonly<Record<string, () => Promise<void>>> = {
  up: () => up(rest),
  ssh: () => ssh(rest),
  console: attach,
  power: () => power(rest[0]),
  reset: async () => (await Machine.open(folder)).reset(),
  down: async () => (await Machine.open(folder)).destroy(),
};

const action = commands[command];
if (action === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = command === 'help' ? 0 : 2;
} else {
  await action().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
