/**
 * What the services of a booting system run.
 * @module
 */
import { delay, forever } from '../machine/clock.js';
import { type Program, type Programs, fail } from '../shell/program.js';

const modulesLoad: Program = (call) => {
  const names = [
    '/etc/modules',
    ...['/usr/lib/modules-load.d', '/etc/modules-load.d', '/run/modules-load.d'].flatMap((dir) =>
      call.fs.list(dir).map((name) => `${dir}/${name}`),
    ),
  ]
    .flatMap((path) => (call.fs.text(path) ?? '').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'));
  const missing = names.flatMap((name) =>
    call.kernel.isBlacklisted(name, call.fs) ? [] : call.kernel.loadModule(name, call.fs) === null ? [] : [name],
  );
  return missing.length === 0 ? '' : fail(1, missing.map((name) => `Failed to find module '${name}'`).join('\n'));
};

/** Waits until it is told to stop, as a daemon without interest does. */
const idle: Program = async (call) => {
  call.process.markReady();
  return forever(call.signal);
};

/** sshd -D: listens as long as it runs. */
const sshd: Program = async (call) => {
  const { kernel } = call;
  const { machine } = kernel;
  const { commandLine } = kernel.parameters;
  const stage = machine.strike('boot', 'sshd', commandLine);
  if (stage?.kind === 'hang') return forever(call.signal);
  if (stage?.kind === 'delay') await delay(stage.ms, call.signal);
  if (machine.strike('host-key', kernel.parameters.bootId, commandLine)?.kind === 'new-host-key')
    machine.sshEndpoint.changeHostKey();
  // With a dead network the daemon runs and nobody can tell from inside.
  const network = machine.strike('boot', 'network', commandLine);
  if (network === null) {
    await machine.sshEndpoint.up(kernel);
    machine.busyLog.answers(kernel.parameters.bootId);
  }
  call.process.markReady();
  try {
    return await forever(AbortSignal.any([call.signal, kernel.life.signal]));
  } finally {
    if (network === null) machine.sshEndpoint.stopListening();
  }
};

const udevadm: Program = (call) => {
  if (call.args[0] === 'trigger' && call.args.includes('--type=devices')) call.kernel.coldPlug(call.fs);
  return '';
};

export const BOOT_SERVICE_PROGRAMS: Programs = {
  'lab:modules-load': modulesLoad,
  'lab:udevd': () => '',
  'lab:daemon': idle,
  'lab:sshd': sshd,
  udevadm,
  'systemd-detect-virt': () => ({ stdout: 'none\n', exitCode: 1 }),
  'systemd-inhibit': () => '',
};
