/**
 * GRUB's commands as grub.cfg uses them.
 * @module
 */

/** What a command can do to the running GRUB. A false is the command's status. */
export interface GrubState {
  get(name: string): string | undefined;
  assign(name: string, value: string): boolean;
  unset(name: string): boolean;
  exists(path: string): boolean;
  size(path: string): number;
  print(text: string): void;
  source(path: string): boolean;
  /** Sets the error and prints it; false. */
  fails(text: string): boolean;
  hasFileSystem(uuid: string): boolean;
  stop(outcome: 'reboot' | 'halt'): never;
  linux(path: string, args: readonly string[]): boolean;
  initrd(paths: readonly string[]): boolean;
  /** null when missing or invalid. */
  environment(file: string): Map<string, string> | null;
  /** False when it can't be written. */
  writeEnvironment(file: string, variables: ReadonlyMap<string, string>): boolean;
}

type GrubCommand = (grub: GrubState, args: readonly string[]) => boolean;

const GRUBENV = '/boot/grub/grubenv';
const nothing: GrubCommand = () => true;

function environmentFile(args: readonly string[]): { readonly file: string; readonly names: readonly string[] } {
  const [option = '', file = '', ...names] = args;
  if (option === '-f' || option === '--file') return { file, names };
  return { file: GRUBENV, names: args.filter((arg) => !arg.startsWith('-')) };
}

const loadEnv: GrubCommand = (grub, args) => {
  const { file, names } = environmentFile(args);
  const variables = grub.environment(file);
  if (variables === null) return grub.fails('invalid environment block.');
  for (const [name, value] of variables) if (names.length === 0 || names.includes(name)) grub.assign(name, value);
  return true;
};

const saveEnv: GrubCommand = (grub, args) => {
  const { file, names } = environmentFile(args);
  const variables = grub.environment(file);
  if (variables === null) return grub.fails('invalid environment block.');
  for (const name of names) {
    const value = grub.get(name);
    if (value === undefined) variables.delete(name);
    else variables.set(name, value);
  }
  return grub.writeEnvironment(file, variables) || grub.fails('disk write failed.');
};

const search: GrubCommand = (grub, args) => {
  const uuid = args.findLast((arg) => !arg.startsWith('-') && !arg.includes(',gpt')) ?? '';
  if (!grub.hasFileSystem(uuid)) return grub.fails(`no such device: ${uuid}.`);
  const variable = args.map((arg) => /^--set(?:=(\w+))?$/.exec(arg)).find((found) => found !== null);
  if (variable !== undefined && variable !== null) grub.assign(variable[1] ?? 'root', 'hd0,gpt2');
  return true;
};

const COMPARE: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '-eq': (a, b) => Number(a) === Number(b),
  '-ne': (a, b) => Number(a) !== Number(b),
  '-lt': (a, b) => Number(a) < Number(b),
  '-le': (a, b) => Number(a) <= Number(b),
  '-gt': (a, b) => Number(a) > Number(b),
  '-ge': (a, b) => Number(a) >= Number(b),
};

function test(grub: GrubState, args: readonly string[]): boolean {
  for (const [operator, combine] of [
    ['-o', (a: boolean, b: boolean) => a || b],
    ['-a', (a: boolean, b: boolean) => a && b],
  ] as const) {
    const at = args.indexOf(operator);
    if (at > 0) return combine(test(grub, args.slice(0, at)), test(grub, args.slice(at + 1)));
  }
  const [first = '', second, third] = args;
  if (first === '!' && args.length > 1) return !test(grub, args.slice(1));
  if (second !== undefined && third !== undefined) return COMPARE[second]?.(first, third) ?? false;
  if (second === undefined) return first !== '';
  switch (first) {
    case '-n':
      return second !== '';
    case '-z':
      return second === '';
    case '-s':
      return grub.size(second) > 0;
    case '-e':
    case '-f':
      return grub.exists(second);
    default:
      return false;
  }
}

/** Graphics, terminals and modules don't decide what boots. */
const WITHOUT_EFFECT =
  'insmod rmmod export terminal_output terminal_input terminal play background_color background_image loadfont gfxmode ' +
  'set_background_image sleep clear true serial keymap cutmem badram videoinfo drivemap hiddenmenu fwsetup_supported';

export const GRUB_COMMANDS: Readonly<Record<string, GrubCommand>> = {
  ...Object.fromEntries(WITHOUT_EFFECT.split(' ').map((name) => [name, nothing])),
  set: (grub, [assignment = '']) => {
    const at = assignment.indexOf('=');
    return at < 0 ? true : grub.assign(assignment.slice(0, at), assignment.slice(at + 1));
  },
  unset: (grub, [name = '']) => grub.unset(name),
  load_env: loadEnv,
  save_env: saveEnv,
  search,
  '[': (grub, args) => (args.at(-1) === ']' ? test(grub, args.slice(0, -1)) : grub.fails("missing `]'")),
  test,
  echo: (grub, args) => {
    grub.print(args.filter((arg) => arg !== '-n' && arg !== '-e').join(' '));
    return true;
  },
  false: () => false,
  source: (grub, [path = '']) => grub.source(path),
  '.': (grub, [path = '']) => grub.source(path),
  configfile: (grub, [path = '']) => grub.source(path),
  reboot: (grub) => grub.stop('reboot'),
  halt: (grub) => grub.stop('halt'),
  linux: (grub, [path = '', ...args]) => grub.linux(path, args),
  linuxefi: (grub, [path = '', ...args]) => grub.linux(path, args),
  initrd: (grub, paths) => grub.initrd(paths),
  initrdefi: (grub, paths) => grub.initrd(paths),
  // Not on this firmware, so that 30_uefi-firmware adds no entry.
  fwsetup: () => false,
};
