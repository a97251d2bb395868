/**
 * apt-mark: held and manually installed packages.
 * @module
 */
import { readStatus, writeStatus } from '../packages/database.js';
import { type Call, type Program, type Programs, fail } from '../shell/program.js';

const MANUAL_PATH = '/var/lib/apt/extended_states';

function manual(call: Call): ReadonlySet<string> {
  return new Set((call.fs.text(MANUAL_PATH) ?? '').split('\n').filter((line) => line !== ''));
}

export function markManual(call: Call, name: string, isManual: boolean): void {
  const names = new Set(manual(call));
  if (isManual) names.add(name);
  else names.delete(name);
  call.fs.put(
    MANUAL_PATH,
    [...names]
      .toSorted()
      .map((line) => `${line}\n`)
      .join(''),
  );
}

const aptMark: Program = (call) => {
  const [verb = '', ...names] = call.args.filter((arg) => !arg.startsWith('-'));
  const installed = new Map(readStatus(call.fs));
  switch (verb) {
    case 'hold':
    case 'unhold': {
      let stdout = '';
      for (const name of names) {
        const present = installed.get(name);
        if (present === undefined)
          return fail(
            100,
            `E: Can't select installed nor candidate version from package ${name} as it has neither of them\nE: No packages found`,
          );
        const held = present.status.startsWith('hold');
        if (held === (verb === 'hold')) {
          stdout += `${name} was already ${held ? '' : 'not '}on hold.\n`;
          continue;
        }
        installed.set(name, { ...present, status: `${verb === 'hold' ? 'hold' : 'install'} ok installed` });
        stdout += verb === 'hold' ? `${name} set on hold.\n` : `Canceled hold on ${name}.\n`;
      }
      writeStatus(call.fs, installed);
      return stdout;
    }
    case 'showhold':
    case 'showholds':
      return [...installed.values()]
        .filter(({ name, status }) => status.startsWith('hold') && (names.length === 0 || names.includes(name)))
        .map(({ name }) => `${name}\n`)
        .join('');
    case 'showmanual':
      return [...manual(call)]
        .filter((name) => names.length === 0 || names.includes(name))
        .map((name) => `${name}\n`)
        .join('');
    case 'showauto':
      return [...installed.keys()]
        .filter((name) => !manual(call).has(name) && (names.length === 0 || names.includes(name)))
        .map((name) => `${name}\n`)
        .join('');
    case 'manual':
    case 'auto':
      for (const name of names) markManual(call, name, verb === 'manual');
      return names
        .map((name) => `${name} set to ${verb === 'manual' ? 'manually' : 'automatically'} installed.\n`)
        .join('');
    default:
      return fail(100, `E: Invalid operation ${verb}`);
  }
};

export const APT_MARK_PROGRAMS: Programs = { 'apt-mark': aptMark };
