/**
 * Copies, renames, links, owners: where just-bash knows neither owners nor modes nor renames.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';

const USERS: Readonly<Record<string, number>> = { root: 0, ubuntu: 1000, nobody: 65534 };

export const nameOf = (id: number): string =>
  Object.entries(USERS).find(([, known]) => known === id)?.[0] ?? String(id);

const idOf = (name: string): number | null => USERS[name] ?? (/^\d+$/.test(name) ? Number(name) : null);

/** Runs an action of the file system and reports its error as the program would. */
export async function attempt(
  call: Call,
  what: string,
  action: () => void | Promise<void>,
): Promise<ProgramResult | null> {
  try {
    await action();
    return null;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const reason = /^[A-Z]+: ([^,]+)/.exec(text)?.[1] ?? text;
    return fail(1, `${call.name}: ${what}: ${reason.charAt(0).toUpperCase()}${reason.slice(1)}`);
  }
}

const isDirectory = (fs: FileSystem, path: string): boolean => fs.entry(path)?.kind === 'directory';

const base = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? path;

/** Sources and their destinations: into a directory, or onto a name with `-T`. */
function targets(
  call: Call,
  rest: readonly string[],
  noDirectory: boolean,
  into: string | undefined,
): readonly (readonly [string, string])[] | null {
  const sources = into === undefined ? rest.slice(0, -1) : rest;
  const destination = into ?? rest.at(-1);
  if (destination === undefined || sources.length === 0) return null;
  const inside = into !== undefined || (!noDirectory && isDirectory(call.fs, call.path(destination)));
  return sources.map((source) => [source, inside ? `${destination}/${base(source)}` : destination]);
}

const cp: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, [
    '-t',
    '--target-directory',
    '--preserve',
    '--no-preserve',
    '--sparse',
  ]);
  const archive = flags.has('-a') || flags.has('--archive');
  const pairs = targets(call, rest, flags.has('-T') || flags.has('--no-target-directory'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'cp: missing destination file operand');
  const recursive = archive || flags.has('-r') || flags.has('-R') || flags.has('--recursive');
  for (const [source, destination] of pairs) {
    if (isDirectory(call.fs, call.path(source)) && !recursive)
      return fail(1, `cp: -r not specified; omitting directory '${source}'`);
    const error = await attempt(call, `cannot copy '${source}'`, () =>
      call.fs.copy(call.path(source), call.path(destination), {
        recursive,
        preserve: archive || flags.has('-p') || flags.has('--preserve') || values.has('--preserve'),
        followLinks: !(archive || flags.has('-d') || flags.has('-P')),
      }),
    );
    if (error !== null) return error;
  }
  return '';
};

const mv: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-t', '--target-directory']);
  const pairs = targets(call, rest, flags.has('-T') || flags.has('--no-target-directory'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'mv: missing destination file operand');
  for (const [source, destination] of pairs) {
    if (flags.has('-n') && call.fs.entry(call.path(destination)) !== undefined) continue;
    const error = await attempt(call, `cannot move '${source}' to '${destination}'`, () =>
      call.fs.mv(call.path(source), call.path(destination)),
    );
    if (error !== null) return error;
  }
  return '';
};

const ln: Program = async (call) => {
  const { flags, rest } = parseArgs(call.args);
  const [source = '', given] = rest;
  const target = given ?? base(source);
  const path = call.path(
    isDirectory(call.fs, call.path(target)) && !flags.has('-T') && !flags.has('-n')
      ? `${target}/${base(source)}`
      : target,
  );
  if (flags.has('-f') && call.fs.entry(path) !== undefined) await call.fs.rm(path, { force: true });
  if (flags.has('-f') && flags.has('-s')) await call.fs.rm(path, { force: true });
  const error = await attempt(call, `failed to create ${flags.has('-s') ? 'symbolic' : 'hard'} link '${target}'`, () =>
    flags.has('-s') ? call.fs.symlink(source, path) : call.fs.link(call.path(source), path),
  );
  return error ?? '';
};

const install: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-m', '--mode', '-o', '--owner', '-g', '--group', '-t']);
  const mode = Number.parseInt(values.get('-m')?.[0] ?? values.get('--mode')?.[0] ?? '755', 8);
  const uid = idOf(values.get('-o')?.[0] ?? values.get('--owner')?.[0] ?? String(call.fs.uid)) ?? 0;
  const gid = idOf(values.get('-g')?.[0] ?? values.get('--group')?.[0] ?? String(call.fs.uid)) ?? 0;
  if (flags.has('-d') || flags.has('--directory')) {
    for (const path of rest) {
      const error = await attempt(call, `cannot create directory '${path}'`, async () => {
        await call.fs.mkdir(call.path(path), { recursive: true });
        call.fs.change(call.path(path), { mode, uid, gid });
      });
      if (error !== null) return error;
    }
    return '';
  }
  const pairs = targets(call, rest, flags.has('-T'), values.get('-t')?.[0]);
  if (pairs === null) return fail(1, 'install: missing destination file operand');
  for (const [source, destination] of pairs) {
    const error = await attempt(call, `cannot install '${source}'`, async () => {
      const path = call.path(destination);
      if (flags.has('-D')) await call.fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
      // `install /dev/stdin FILE` takes what is piped in.
      if (source === '/dev/stdin' || source === '-') await call.fs.writeFile(path, call.stdinBytes());
      else call.fs.copy(call.path(source), path, { recursive: false, preserve: false, followLinks: true });
      call.fs.change(path, { mode, uid, gid });
    });
    if (error !== null) return error;
  }
  return '';
};

const chown: Program = async (call) => {
  const { flags, rest } = parseArgs(call.args);
  const [owner = '', ...paths] = rest;
  const [user = '', group] = call.name === 'chgrp' ? ['', owner] : owner.split(/[:.]/);
  const uid = user === '' ? undefined : idOf(user);
  const gid = group === undefined || group === '' ? undefined : idOf(group);
  if (uid === null || gid === null) return fail(1, `${call.name}: invalid user: '${owner}'`);
  for (const path of paths) {
    const all = flags.has('-R')
      ? [call.path(path), ...call.fs.getAllPaths().filter((known) => known.startsWith(`${call.path(path)}/`))]
      : [call.path(path)];
    for (const one of all) {
      const error = await attempt(call, `changing ownership of '${path}'`, () =>
        call.fs.change(
          one,
          { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) },
          !flags.has('-h'),
        ),
      );
      if (error !== null) return error;
    }
  }
  return '';
};

export const COPYING_PROGRAMS: Programs = { cp, mv, ln, install, chown, chgrp: chown };
