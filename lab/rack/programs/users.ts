/**
 * Who runs a command, and who else is logged in.
 * @module
 */
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';

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

export const USER_PROGRAMS: Programs = { sudo, id, who, loginctl, logger };
