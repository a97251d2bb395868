/**
 * What makes data durable, and what takes turns.
 * @module
 */
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';
import { attempt } from './copying.js';

/** `sync` everything, `sync -f FILE` its file system, `sync FILE` (and `-d`) only that file. */
const sync: Program = (call) => {
  const { flags, rest } = parseArgs(call.args);
  if (rest.length === 0) {
    for (const disk of call.fs.disks()) disk.syncAll();
    return '';
  }
  for (const path of rest) {
    if (call.fs.entry(call.path(path)) === undefined)
      return fail(1, `sync: error opening '${path}': No such file or directory`);
    const { disk, path: real } = call.fs.locate(call.path(path));
    if (flags.has('-f') || flags.has('--file-system')) disk?.syncAll();
    else disk?.fsync(real);
  }
  return '';
};

/** `4`, `1M`: dd's sizes. */
const ddSize = (text: string): number =>
  Number.parseInt(text, 10) * ({ K: 1024, M: 1_048_576, G: 1_073_741_824, k: 1024 }[text.at(-1) ?? ''] ?? 1);

const dd: Program = async (call) => {
  const options = new Map(call.args.map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]));
  const input = options.get('if');
  const block = ddSize(options.get('bs') ?? options.get('ibs') ?? '512');
  const count = options.has('count') ? ddSize(options.get('count') ?? '0') : null;
  let data: Uint8Array;
  if (input === '/dev/zero' || input === '/dev/urandom') data = new Uint8Array(block * (count ?? 1));
  else if (input === undefined) data = call.stdinBytes();
  else if (call.fs.entry(call.path(input)) === undefined)
    return fail(1, `dd: failed to open '${input}': No such file or directory`);
  else data = await call.fs.readFileBuffer(call.path(input));
  const skip = options.has('skip') ? ddSize(options.get('skip') ?? '0') * block : 0;
  data = data.slice(skip, count === null ? undefined : skip + count * block);
  const note = `${Math.ceil(data.length / block)}+0 records in\n${Math.ceil(data.length / block)}+0 records out\n`;
  const output = options.get('of');
  if (output === undefined) return { stdout: data, stderr: options.get('status') === 'none' ? '' : note };
  const error = await attempt(call, `failed to open '${output}'`, () => call.fs.writeFile(call.path(output), data));
  if (error !== null) return error;
  if (/fsync|fdatasync/.test(options.get('conv') ?? '')) {
    const { disk, path } = call.fs.locate(call.path(output));
    disk?.fsync(path);
  }
  return { stderr: options.get('status') === 'none' ? '' : note };
};

let temporary = 0;

const mktemp: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-p', '--tmpdir', '--suffix']);
  const parent = values.get('-p')?.[0] ?? (rest[0]?.includes('/') === true ? '' : '/tmp');
  temporary += 1;
  const unique = temporary.toString(36).padStart(10, '0');
  const template = rest[0] ?? 'tmp.XXXXXXXXXX';
  const name = template.replace(/X{3,}/, (xs) => unique.slice(-xs.length));
  const path = call.path(parent === '' ? name : `${parent}/${name}`);
  const error = await attempt(call, `failed to create file via template '${template}'`, async () => {
    if (flags.has('-d')) await call.fs.mkdir(path);
    else await call.fs.writeFile(path, '');
    call.fs.change(path, { mode: flags.has('-d') ? 0o700 : 0o600 });
  });
  return error ?? `${path}\n`;
};

/** `flock [-n] [-w SECONDS] [-E CODE] [-x|-s] FILE COMMAND…` and `flock FILE -c SCRIPT`. */
const flock: Program = async (call) => {
  const { flags, values, rest } = parseArgs(
    call.args,
    ['-w', '--wait', '--timeout', '-E', '--conflict-exit-code', '-c', '--command'],
    true,
  );
  const [given = '', ...command] = rest;
  const path = call.path(given);
  const conflict = Number(values.get('-E')?.[0] ?? values.get('--conflict-exit-code')?.[0] ?? 1);
  if (call.fs.entry(path) === undefined) {
    const error = await attempt(call, `cannot open lock file ${given}`, () => call.fs.writeFile(path, ''));
    if (error !== null) return fail(66, `flock: cannot open lock file ${given}: No such file or directory`);
  }
  const wait =
    flags.has('-n') || flags.has('--nonblock')
      ? 0
      : Number(values.get('-w')?.[0] ?? values.get('--wait')?.[0] ?? values.get('--timeout')?.[0] ?? Number.NaN) * 1000;
  const release = await call.kernel.locks.take(path, Number.isNaN(wait) ? null : wait, call.signal);
  if (release === null) return { exitCode: conflict };
  try {
    const script =
      values.get('-c')?.[0] ?? values.get('--command')?.[0] ?? (command[0] === '-c' ? command[1] : undefined);
    return await call.run(script === undefined ? command : ['sh', '-c', script]);
  } finally {
    release();
  }
};

const truncate: Program = async (call) => {
  const { values, rest } = parseArgs(call.args, ['-s', '--size']);
  const size = Number.parseInt(values.get('-s')?.[0] ?? values.get('--size')?.[0] ?? '0', 10);
  for (const path of rest) {
    const before = call.fs.entry(call.path(path));
    const content = new Uint8Array(size);
    if (before?.kind === 'file') content.set(before.content.slice(0, size));
    await call.fs.writeFile(call.path(path), content);
  }
  return '';
};

export const WRITING_PROGRAMS: Programs = { sync, dd, mktemp, flock, truncate };
