/**
 * GRUB's programs, as they run under Linux.
 * @module
 */
import { generateGrubConfig, parseSettings } from '../boot/grub-config-generator.js';
import { parseEnvironment, renderEnvironment } from '../boot/grub-environment.js';
import { GrubSyntaxError, parseGrubScript } from '../boot/grub-script.js';
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';
import { kernels } from './kernels.js';

const GRUBENV = '/boot/grub/grubenv';

const grubEditenv: Program = async (call) => {
  const [given = '-', command = '', ...args] = call.args;
  const path = given === '-' ? GRUBENV : call.path(given);
  if (command === 'create') {
    await call.fs.writeFile(path, renderEnvironment(new Map()) ?? '');
    return '';
  }
  const text = call.fs.text(path);
  const variables = text === null ? null : parseEnvironment(text);
  if (variables === null) {
    if (text === null && (command === 'set' || command === 'unset')) {
      await call.fs.writeFile(path, renderEnvironment(new Map()) ?? '');
      return grubEditenv(call);
    }
    return fail(
      1,
      text === null
        ? `grub-editenv: error: cannot open \`${path}': No such file or directory.`
        : 'grub-editenv: error: invalid environment block.',
    );
  }
  switch (command) {
    case 'list':
      return [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
    case 'set':
      for (const arg of args) {
        const at = arg.indexOf('=');
        if (at < 0) return fail(1, `grub-editenv: error: invalid parameter ${arg}.`);
        variables.set(arg.slice(0, at), arg.slice(at + 1));
      }
      break;
    case 'unset':
      for (const name of args) variables.delete(name);
      break;
    default:
      return fail(1, `Unknown command \`${command}'.`);
  }
  const block = renderEnvironment(variables);
  if (block === null) return fail(1, 'grub-editenv: error: environment block too small.');
  // In place, no fsync: durable only with the next sync.
  await call.fs.writeFile(path, block);
  return '';
};

const grubReboot: Program = async (call) =>
  grubEditenv({ ...call, args: ['-', 'set', `next_entry=${call.args.at(-1) ?? ''}`] });

const grubSetDefault: Program = async (call) =>
  grubEditenv({ ...call, args: ['-', 'set', `saved_entry=${call.args.at(-1) ?? ''}`] });

const grubScriptCheck: Program = (call) => {
  const path = call.args.find((arg) => !arg.startsWith('-'));
  const text = path === undefined ? call.stdin() : call.fs.text(call.path(path));
  if (text === null) return fail(1, `grub-script-check: error: cannot open \`${path}': No such file or directory.`);
  try {
    parseGrubScript(text);
    return '';
  } catch (error) {
    if (!(error instanceof GrubSyntaxError)) throw error;
    return fail(1, `error: ${error.message}\nSyntax error at ${error.message}`);
  }
};

/** A comment names the settings' last words, as Ubuntu's does for each drop-in it reads. */
export function renderGrubConfig(call: Pick<Call, 'fs' | 'kernel'>): { readonly text: string; readonly notes: string } {
  const dropIns = call.fs.list('/etc/default/grub.d').filter((name) => name.endsWith('.cfg'));
  const settings = parseSettings([
    call.fs.text('/etc/default/grub') ?? '',
    ...dropIns.map((name) => call.fs.text(`/etc/default/grub.d/${name}`) ?? ''),
  ]);
  const versions = kernels(call);
  const known = versions.map((version) => ({
    version,
    initrd: call.fs.entry(`/boot/initrd.img-${version}`) !== undefined,
  }));
  const notes = [
    "Sourcing file `/etc/default/grub'",
    ...dropIns.map((name) => `Sourcing file \`/etc/default/grub.d/${name}'`),
    'Generating grub configuration file ...',
    ...known.flatMap(({ version, initrd }) => [
      `Found linux image: /boot/vmlinuz-${version}`,
      ...(initrd ? [`Found initrd image: /boot/initrd.img-${version}`] : []),
    ]),
    'done',
  ];
  return {
    text: generateGrubConfig({ settings, kernels: known, rootUuid: call.kernel.machine.rootUuid }),
    notes: `${notes.join('\n')}\n`,
  };
}

const grubMkconfig: Program = async (call) => {
  const { values } = parseArgs(call.args, ['-o', '--output']);
  const output = values.get('-o')?.[0] ?? values.get('--output')?.[0];
  const { text, notes } = renderGrubConfig(call);
  if (output === undefined) return { stdout: text, stderr: notes };
  const path = call.path(output);
  await call.fs.writeFile(`${path}.new`, text);
  await call.fs.mv(`${path}.new`, path);
  return { stderr: notes };
};

const updateGrub: Program = (call) => grubMkconfig({ ...call, args: ['-o', '/boot/grub/grub.cfg'] });

const grubProbe: Program = (call) => {
  const { values } = parseArgs(call.args, ['--target', '-t', '--device', '-d']);
  const target = values.get('--target')?.[0] ?? values.get('-t')?.[0] ?? 'fs';
  const answers: Readonly<Record<string, string>> = {
    fs: 'ext2',
    fs_uuid: call.kernel.machine.rootUuid,
    abstraction: call.kernel.machine.options.grubenvWritable === false ? 'diskfilter mdraid1x' : '',
    device: '/dev/nvme0n1p2',
    disk: '/dev/nvme0n1',
    drive: '(hd0,gpt2)',
    partmap: 'gpt',
  };
  const answer = answers[target];
  return answer === undefined ? fail(1, `grub-probe: error: unknown target ${target}`) : `${answer}\n`;
};

export const GRUB_PROGRAMS: Programs = {
  'grub-editenv': grubEditenv,
  'grub-reboot': grubReboot,
  'grub-set-default': grubSetDefault,
  'grub-script-check': grubScriptCheck,
  'grub-mkconfig': grubMkconfig,
  'update-grub': updateGrub,
  'grub-probe': grubProbe,
};
