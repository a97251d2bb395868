/**
 * journalctl.
 * @module
 */
import type { JournalLine } from '../machine/journal.js';
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';
import { globs, withSuffix } from './unit-files.js';

/** `-b` takes its value only if one follows: `-b`, `-b -1`, `-b ID`. */
function joinedBoot(args: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg !== '-b' && arg !== '--boot') joined.push(arg);
    else if (/^(-?\d+|[0-9a-f-]{32,36})$/.test(args[at + 1] ?? '')) joined.push(`--boot=${args[(at += 1)] ?? ''}`);
    else joined.push('--boot=0');
  }
  return joined;
}

const microsecondsAsDate = (at: number): string => new Date(at / 1000).toUTCString();

/** Field matches, all of which must hold: `UNIT=` of what systemd says about a unit, `JOB_RESULT=done` where its start ended well. */
function matches(line: JournalLine, fields: readonly string[]): boolean {
  return fields.every((field) => {
    if (line.identifier !== 'systemd') return false;
    if (field === 'JOB_RESULT=done') return /^(Reached target|Started|Finished) /.test(line.text);
    return field === `UNIT=${line.unit ?? ''}`;
  });
}

const journalctl: Program = (call) => {
  const { flags, values, rest } = parseArgs(joinedBoot(call.args), [
    '-u',
    '--unit',
    '-o',
    '--output',
    '-n',
    '--lines',
    '-p',
    '--priority',
    '--since',
    '--until',
    '-t',
    '-g',
    '--grep',
  ]);
  const { journal } = call.kernel.machine;
  const boots = journal.boots();
  const tags = values.get('-t') ?? [];
  const output = values.get('-o')?.[0] ?? values.get('--output')?.[0] ?? 'short';
  if (flags.has('--list-boots')) {
    const rows = boots.map(({ id, first, last }, index) => ({
      index: index - boots.length + 1,
      boot_id: id.replaceAll('-', ''),
      first_entry: first * 1000,
      last_entry: last * 1000,
    }));
    if (output === 'json') return `${JSON.stringify(rows)}\n`;
    return `IDX BOOT ID FIRST ENTRY LAST ENTRY\n${rows.map((row) => `${String(row.index).padStart(3)} ${row.boot_id} ${microsecondsAsDate(row.first_entry)} ${microsecondsAsDate(row.last_entry)}\n`).join('')}`;
  }
  const units = [...(values.get('-u') ?? []), ...(values.get('--unit') ?? [])].map((name) => globs(withSuffix(name)));
  const wanted = values.get('--boot')?.[0] ?? (flags.has('-k') || flags.has('--dmesg') ? '0' : null);
  const boot =
    wanted === null
      ? null
      : /^-?\d+$/.test(wanted)
        ? boots.at(Number(wanted) - 1)?.id
        : boots.find(({ id }) => id.replaceAll('-', '') === wanted.replaceAll('-', ''))?.id;
  if (boot === undefined) return fail(1, 'Data from the specified boot is not available: No such boot ID in journal');
  const grep = values.get('-g')?.[0] ?? values.get('--grep')?.[0];
  let lines = journal.lines.filter(
    (line) =>
      (boot === null || line.bootId === boot) &&
      matches(line, rest) &&
      (tags.length === 0 || tags.includes(line.identifier)) &&
      (units.length === 0 || (line.unit !== null && units.some((unit) => unit.test(line.unit ?? '')))) &&
      (!(flags.has('-k') || flags.has('--dmesg')) || line.identifier === 'kernel') &&
      (grep === undefined || new RegExp(grep, 'i').test(line.text)),
  );
  const limit = Number(values.get('-n')?.[0] ?? values.get('--lines')?.[0] ?? Number.NaN);
  if (!Number.isNaN(limit)) lines = lines.slice(-limit);
  if (lines.length === 0) return flags.has('-q') || flags.has('--quiet') ? '' : '-- No entries --\n';
  if (output === 'json')
    return lines
      .map(({ bootId, at, unit, text }) => ({
        _BOOT_ID: bootId.replaceAll('-', ''),
        __REALTIME_TIMESTAMP: String(at * 1000),
        ...(unit === null ? {} : { UNIT: unit }),
        MESSAGE: text,
      }))
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join('');
  if (output === 'cat') return lines.map((line) => `${line.text}\n`).join('');
  return lines
    .map(
      (line) =>
        `${new Date(line.at).toUTCString().slice(5, 25)} ${call.kernel.machine.name} ${line.identifier}: ${line.text}\n`,
    )
    .join('');
};

export const JOURNAL_PROGRAMS: Programs = { journalctl };
