/**
 * dpkg and dpkg-query.
 * @module
 */
import { readStatus, writeStatus } from '../packages/database.js';
import { FILE_OWNERS } from '../packages/table.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';

const ABBREVIATIONS: Readonly<Record<string, string>> = {
  'install ok installed': 'ii ',
  'hold ok installed': 'hi ',
  'install ok half-configured': 'iF ',
  'install ok unpacked': 'iU ',
};

const globs = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);

function queried(call: Call, patterns: readonly string[], format: string): ProgramResult {
  const installed = [...readStatus(call.fs).values()];
  let stdout = '';
  let stderr = '';
  for (const pattern of patterns.length === 0 ? ['*'] : patterns) {
    const found = installed.filter(({ name }) => globs(pattern.replace(/:amd64$/, '')).test(name));
    if (found.length === 0) stderr += `dpkg-query: no packages found matching ${pattern}\n`;
    for (const { name, status, version } of found) {
      const fields: Readonly<Record<string, string>> = {
        Package: name,
        'binary:Package': name,
        Version: version,
        Status: status,
        Architecture: 'amd64',
        'db:Status-Abbrev': ABBREVIATIONS[status] ?? 'un ',
        'db:Status-Status': status.split(' ')[2] ?? '',
        'db:Status-Want': status.split(' ')[0] ?? '',
      };
      stdout += format
        .replaceAll(/\$\{([\w:-]+)(?:;-?\d+)?\}/g, (_, field: string) => fields[field] ?? '')
        .replaceAll('\\n', '\n')
        .replaceAll('\\t', '\t');
    }
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
}

const dpkgQuery: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, ['-f', '--showformat']);
  if (flags.has('-W') || flags.has('--show'))
    return queried(
      call,
      rest,
      values.get('-f')?.[0] ?? values.get('--showformat')?.[0] ?? '${binary:Package}\t${Version}\n',
    );
  if (flags.has('-S') || flags.has('--search')) return searched(call, rest);
  return queried(call, rest, '${db:Status-Abbrev} ${Package} ${Version} amd64\n');
};

function searched(call: Call, paths: readonly string[]): ProgramResult {
  let stdout = '';
  let stderr = '';
  for (const path of paths) {
    const listed = call.fs
      .list('/var/lib/dpkg/info')
      .find((name) => (call.fs.text(`/var/lib/dpkg/info/${name}`) ?? '').split('\n').includes(path));
    const owner = listed?.replace(/\.list$/, '') ?? FILE_OWNERS[path];
    if (owner === undefined) stderr += `dpkg-query: no path found matching pattern ${path}\n`;
    else stdout += `${owner}: ${path}\n`;
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
}

export const dpkg: Program = (call) => {
  const { flags, rest } = parseArgs(call.args);
  if (flags.has('--audit') || flags.has('-C')) {
    const broken = [...readStatus(call.fs).values()].filter(({ status }) => !status.endsWith(' installed'));
    return broken.length === 0
      ? ''
      : `The following packages are only half configured:\n${broken.map(({ name }) => ` ${name}\n`).join('')}`;
  }
  if (flags.has('-S') || flags.has('--search')) return searched(call, rest);
  if (flags.has('-l') || flags.has('--list'))
    return queried(call, rest, '${db:Status-Abbrev} ${Package} ${Version} amd64\n');
  if (flags.has('-s') || flags.has('--status'))
    return queried(call, rest, 'Package: ${Package}\nStatus: ${Status}\nVersion: ${Version}\n');
  if (flags.has('--print-architecture')) return 'amd64\n';
  if (flags.has('--configure')) {
    const installed = new Map(
      [...readStatus(call.fs)].map(([name, entry]) => [
        name,
        { ...entry, status: entry.status.replace(/ half-configured$| unpacked$/, ' installed') },
      ]),
    );
    writeStatus(call.fs, installed);
    return '';
  }
  if (flags.has('--compare-versions')) return fail(2, 'dpkg: --compare-versions is not played here');
  return fail(2, `dpkg: error: unknown option`);
};

export const DPKG_PROGRAMS: Programs = { 'dpkg-query': dpkgQuery, dpkg };
