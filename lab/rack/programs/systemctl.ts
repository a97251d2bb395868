/**
 * systemctl, by verb, and the programs that end a boot.
 * @module
 */
import { forever } from '../machine/clock.js';
import { type Call, type Program, type ProgramResult, type Programs, fail, parseArgs } from '../shell/program.js';
import type { Unit } from '../systemd/manager.js';
import { UNIT_DIRECTORIES, findUnit } from '../systemd/unit-file.js';
import { disable, enable, globs, manager, mask, unitFileState, unmask, withSuffix } from './unit-files.js';

function properties(call: Call, unit: Unit): ReadonlyMap<string, string> {
  const { file } = unit;
  const service = (key: string): string => file?.get('Service', key) ?? '';
  return new Map([
    ['Type', service('Type') || 'simple'],
    ['Restart', service('Restart') || 'no'],
    ['RemainAfterExit', service('RemainAfterExit') || 'no'],
    ['MainPID', String(unit.process?.pid ?? 0)],
    ['NRestarts', String(unit.restarts)],
    ['ExecMainPID', String(unit.process?.pid ?? 0)],
    ['ExecMainCode', String(unit.mainCode)],
    ['ExecMainStatus', String(unit.mainStatus)],
    ['Result', unit.result],
    ['Environment', (file?.all('Service', 'Environment') ?? []).join(' ')],
    ['Id', unit.name],
    ['Names', unit.name],
    ['Description', file?.get('Unit', 'Description') ?? unit.name],
    ['LoadState', unit.load],
    ['ActiveState', unit.active],
    ['SubState', unit.sub],
    ['FragmentPath', file?.path ?? ''],
    ['UnitFileState', unitFileState(call, unit.name) ?? ''],
    ['ConditionResult', unit.condition ? 'yes' : 'no'],
    ['ActiveEnterTimestamp', unit.activeSince === 0 ? '' : new Date(unit.activeSince).toUTCString()],
    ['InvocationID', unit.invocation === 0 ? '' : `${unit.name}-${unit.invocation}`],
    ['NeedDaemonReload', 'no'],
    ['Transient', manager(call).isTransient(unit) ? 'yes' : 'no'],
  ]);
}

function listed(call: Call, patterns: readonly string[], states: readonly string[], all: boolean): readonly Unit[] {
  const systemd = manager(call);
  return [...systemd.units.values()]
    .filter((unit) => patterns.length === 0 || patterns.some((pattern) => globs(withSuffix(pattern)).test(unit.name)))
    .filter((unit) =>
      states.length === 0
        ? all || unit.active !== 'inactive'
        : states.some((state) => state === unit.active || state === unit.sub || state === unit.load),
    )
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Bodies of systemctl's verbs; the second argument holds the words after the verb. */
const VERBS: Readonly<
  Record<
    string,
    (call: Call, names: readonly string[], args: ReturnType<typeof parseArgs>) => ProgramResult | Promise<ProgramResult>
  >
> = {
  show: (call, names, { values, flags }) => {
    const wanted = [...(values.get('--property') ?? []), ...(values.get('-p') ?? [])].flatMap((list) =>
      list.split(','),
    );
    const blocks = names.map((name) => {
      const all = properties(call, manager(call).load(name));
      return [...all]
        .filter(([key]) => wanted.length === 0 || wanted.includes(key))
        .map(([key, value]) => (flags.has('--value') ? `${value}\n` : `${key}=${value}\n`))
        .join('');
    });
    return blocks.join('\n');
  },
  start: (call, names, args) => starting(call, names, args),
  restart: async (call, names, args) => {
    for (const name of names) if (manager(call).load(name).active !== 'inactive') await manager(call).stop(name);
    return starting(call, names, args);
  },
  'try-restart': async (call, names, args) => {
    const running = names.filter((name) => manager(call).load(name).active === 'active');
    for (const name of running) await manager(call).stop(name);
    return starting(call, running, args);
  },
  reload: () => '',
  'reload-or-restart': (call, names, args) => starting(call, names, args),
  stop: async (call, names) => {
    for (const name of names) {
      const unit = manager(call).load(name);
      if (unit.load === 'not-found') return fail(5, `Failed to stop ${name}: Unit ${name} not loaded.`);
      await manager(call).stop(name);
    }
    return '';
  },
  kill: (call, names, { values }) => {
    for (const name of names)
      manager(call)
        .load(name)
        .process?.kill((values.get('--signal')?.[0] ?? values.get('-s')?.[0] ?? 'TERM').replace(/^SIG/, ''));
    return '';
  },
  enable: async (call, names, args) => {
    let stderr = '';
    for (const name of names) {
      const result = await enable(call, name);
      if (result !== null && typeof result !== 'string') {
        if (result.exitCode !== undefined && result.exitCode !== 0) return result;
        stderr += result.stderr ?? '';
      }
    }
    if (!args.flags.has('--now')) return { stderr };
    return starting(call, names, args);
  },
  disable: async (call, names, { flags }) => {
    let stderr = '';
    for (const name of names) {
      if (findUnit(name, call.fs).kind === 'missing')
        return fail(1, `Failed to disable unit: Unit file ${name} does not exist.`);
      stderr += await disable(call, name);
      if (flags.has('--now')) await manager(call).stop(name);
    }
    return { stderr };
  },
  mask: async (call, names, { flags }) => {
    let stderr = '';
    for (const name of names) {
      const result = await mask(call, name, flags.has('--runtime'));
      if (result !== null && typeof result !== 'string') {
        if (result.exitCode !== undefined && result.exitCode !== 0) return result;
        stderr += result.stderr ?? '';
      }
      if (flags.has('--now')) await manager(call).stop(name);
    }
    return { stderr };
  },
  unmask: async (call, names) => {
    let stderr = '';
    for (const name of names) stderr += await unmask(call, name);
    return { stderr };
  },
  'is-active': (call, names, { flags }) => {
    const states = names.map((name) => manager(call).load(name).active);
    const good = states.includes('active');
    return {
      stdout: flags.has('--quiet') || flags.has('-q') ? '' : states.map((state) => `${state}\n`).join(''),
      exitCode: good ? 0 : 3,
    };
  },
  'is-failed': (call, names, { flags }) => {
    const states = names.map((name) => manager(call).load(name).active);
    return {
      stdout: flags.has('--quiet') || flags.has('-q') ? '' : states.map((state) => `${state}\n`).join(''),
      exitCode: states.includes('failed') ? 0 : 1,
    };
  },
  'is-enabled': (call, names, { flags }) => {
    const states = names.map((name) => unitFileState(call, name) ?? 'not-found');
    const good = states.some((state) => ['enabled', 'static', 'alias', 'indirect', 'transient'].includes(state));
    return {
      stdout: flags.has('--quiet') || flags.has('-q') ? '' : states.map((state) => `${state}\n`).join(''),
      exitCode: good ? 0 : states.every((state) => state === 'not-found') ? 4 : 1,
    };
  },
  'is-system-running': async (call, _names, { flags }) => {
    if (flags.has('--wait')) await Promise.race([manager(call).booted, forever(call.signal)]);
    const { state } = manager(call);
    return {
      stdout: flags.has('--quiet') || flags.has('-q') ? '' : `${state}\n`,
      exitCode: state === 'running' ? 0 : 1,
    };
  },
  'show-environment': () => 'LANG=C.UTF-8\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin\n',
  'daemon-reload': (call) => {
    manager(call).reload();
    return '';
  },
  'daemon-reexec': () => '',
  'list-units': (call, patterns, { flags, values }) => {
    const states = [
      ...(values.get('--state') ?? []).flatMap((list) => list.split(',')),
      ...(flags.has('--failed') ? ['failed'] : []),
    ];
    const types = [...(values.get('--type') ?? []), ...(values.get('-t') ?? [])].flatMap((list) => list.split(','));
    const units = listed(call, patterns, states, flags.has('--all') || flags.has('-a')).filter(
      (unit) => types.length === 0 || types.some((type) => unit.name.endsWith(`.${type}`)),
    );
    const rows = units.map(
      (unit) =>
        `${flags.has('--plain') || unit.active !== 'failed' ? '' : '● '}${unit.name} ${unit.load} ${unit.active} ${unit.sub} ${unit.file?.get('Unit', 'Description') ?? unit.name}\n`,
    );
    if (flags.has('--no-legend')) return rows.join('');
    return `  UNIT LOAD ACTIVE SUB DESCRIPTION\n${rows.join('')}\n${units.length} loaded units listed.\n`;
  },
  'list-jobs': () => 'No jobs running.\n',
  'list-unit-files': (call, patterns) => {
    const names = new Set(
      UNIT_DIRECTORIES.flatMap((directory) => call.fs.list(directory)).filter((name) =>
        /\.(service|timer|socket|target)$/.test(name),
      ),
    );
    return [...names]
      .toSorted()
      .filter((name) => patterns.length === 0 || patterns.some((pattern) => globs(pattern).test(name)))
      .map((name) => `${name} ${unitFileState(call, name) ?? ''} enabled\n`)
      .join('');
  },
  'reset-failed': (call, names) => {
    const patterns = names.map(globs);
    const failed = manager(call)
      .failed()
      .filter((unit) => patterns.length === 0 || patterns.some((pattern) => pattern.test(unit.name)));
    for (const name of names) {
      if (!name.includes('*') && manager(call).load(name).load === 'not-found')
        return fail(1, `Failed to reset failed state of unit ${name}: Unit ${name} not loaded.`);
    }
    for (const unit of failed) manager(call).resetFailed(unit.name);
    return '';
  },
  status: (call, names) => {
    const units = names.map((name) => manager(call).load(name));
    const text = units.map(
      (unit) =>
        `${unit.active === 'failed' ? '×' : '●'} ${manager(call).describe(unit)}\n     Loaded: ${unit.load} (${unit.file?.path ?? ''})\n     Active: ${unit.active} (${unit.sub})\n`,
    );
    return {
      stdout: text.join('\n'),
      exitCode: units.every((unit) => unit.active === 'active')
        ? 0
        : units.some((unit) => unit.load === 'not-found')
          ? 4
          : 3,
    };
  },
  cat: (call, names) => {
    let stdout = '';
    for (const name of names) {
      const found = findUnit(name, call.fs);
      if (found.kind !== 'found') return fail(1, `No files found for ${name}.`);
      stdout += `# ${found.file.path}\n${call.fs.text(found.file.path) ?? ''}`;
    }
    return stdout;
  },
  'get-default': () => 'graphical.target\n',
  reboot: (call, _names, { flags }) => rebooting(call, flags, false),
  poweroff: (call, _names, { flags }) => rebooting(call, flags, true),
  halt: (call, _names, { flags }) => rebooting(call, flags, true),
};

async function starting(
  call: Call,
  names: readonly string[],
  { flags }: ReturnType<typeof parseArgs>,
): Promise<ProgramResult> {
  let stderr = '';
  for (const name of names) {
    if (flags.has('--no-block')) {
      const unit = manager(call).load(name);
      if (unit.load !== 'loaded') return fail(5, `Failed to start ${name}: Unit ${name} not found.`);
      void manager(call).start(name);
      continue;
    }
    const error = await manager(call).start(name);
    if (error !== null) stderr += `${error}\n`;
  }
  return { stderr, exitCode: stderr === '' ? 0 : stderr.includes('not found') ? 5 : 1 };
}

async function rebooting(call: Call, flags: ReadonlySet<string>, off: boolean): Promise<ProgramResult> {
  const forced = [...call.args].filter((arg) => arg === '--force' || /^-\w*f/.test(arg)).length;
  const twice = forced >= 2 || call.args.some((arg) => arg.startsWith('-ff'));
  const how = twice ? 'immediate' : flags.has('--force') || flags.has('-f') ? 'forced' : 'orderly';
  await call.kernel.machine.requestReboot(`${call.name} ${call.args.join(' ')}`.trim(), how, off);
  return '';
}

const systemctl: Program = async (call) => {
  const args = parseArgs(call.args, [
    '--property',
    '-p',
    '--state',
    '--type',
    '-t',
    '--signal',
    '-s',
    '--job-mode',
    '-n',
    '--lines',
    '-o',
    '--output',
  ]);
  const [verb = 'list-units', ...words] = args.rest;
  const body = VERBS[verb];
  if (body === undefined) return fail(1, `Unknown command verb '${verb}'.`);
  const isPattern = verb === 'list-units' || verb === 'list-unit-files' || verb === 'reset-failed';
  return body(call, isPattern ? words : words.map(withSuffix), args);
};

/** `shutdown -r now`, `shutdown -r +0`, `shutdown -c`, `reboot [-f]`, `poweroff`. */
const shutdown: Program = async (call) => {
  const { flags } = parseArgs(call.args);
  if (flags.has('-c')) return '';
  return rebooting(call, call.name === 'shutdown' ? new Set() : flags, !(flags.has('-r') || call.name === 'reboot'));
};

export const SYSTEMCTL_PROGRAMS: Programs = { systemctl, shutdown, reboot: shutdown, poweroff: shutdown };
