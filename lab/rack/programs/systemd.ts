/**
 * systemctl, systemd-run, journalctl and the programs that boot services run.
 * @module
 */
import { delay, forever } from '../machine/clock.js';
import { fail, parseArgs, type Call, type Program, type ProgramResult, type Programs } from '../shell/program.js';
import type { SystemManager, Unit } from '../systemd/manager.js';
import { UNIT_DIRECTORIES, findUnit } from '../systemd/unit-file.js';

const withSuffix = (name: string): string =>
  /\.(service|timer|socket|target|mount|path|slice|scope)$/.test(name) ? name : `${name}.service`;

function manager(call: Call): SystemManager {
  const { systemd } = call.kernel;
  if (systemd === null) throw new Error('System has not been booted with systemd as init system');
  return systemd;
}

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

/** `*`, `?` and `[…]` as in a shell. */
function globs(pattern: string): RegExp {
  const body = pattern
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${body}$`);
}

function unitFileState(call: Call, name: string): string | null {
  const found = findUnit(name, call.fs);
  if (found.kind === 'masked') return 'masked';
  if (found.kind === 'missing') return null;
  if (found.file.path.startsWith('/run/systemd/transient/')) return 'transient';
  const wants = [...found.file.words('Install', 'WantedBy'), ...found.file.words('Install', 'RequiredBy')];
  for (const directory of UNIT_DIRECTORIES) {
    for (const entry of call.fs.list(directory).filter((known) => /\.(wants|requires)$/.test(known))) {
      if (call.fs.list(`${directory}/${entry}`).includes(name))
        return directory.startsWith('/usr/lib') && wants.length === 0 ? 'static' : 'enabled';
    }
  }
  return wants.length === 0 && found.file.words('Install', 'Also').length === 0 ? 'static' : 'disabled';
}

async function enable(call: Call, name: string): Promise<ProgramResult | null> {
  const found = findUnit(name, call.fs);
  if (found.kind === 'masked')
    return fail(1, `Failed to enable unit: Unit file /etc/systemd/system/${name} is masked.`);
  if (found.kind === 'missing') return fail(1, `Failed to enable unit: Unit file ${name} does not exist.`);
  const links = [
    ...found.file.words('Install', 'WantedBy').map((target) => `${target}.wants`),
    ...found.file.words('Install', 'RequiredBy').map((target) => `${target}.requires`),
  ];
  let stderr = '';
  for (const directory of links) {
    const path = `/etc/systemd/system/${directory}/${name}`;
    if (call.fs.entry(path) !== undefined) continue;
    await call.fs.mkdir(`/etc/systemd/system/${directory}`, { recursive: true });
    await call.fs.rm(path, { force: true });
    await call.fs.symlink(found.file.path, path);
    stderr += `Created symlink ${path} → ${found.file.path}.\n`;
  }
  return { stderr };
}

async function disable(call: Call, name: string): Promise<string> {
  let stderr = '';
  for (const directory of call.fs.list('/etc/systemd/system').filter((known) => /\.(wants|requires)$/.test(known))) {
    const path = `/etc/systemd/system/${directory}/${name}`;
    if (!call.fs.list(`/etc/systemd/system/${directory}`).includes(name)) continue;
    await call.fs.rm(path, { force: true });
    stderr += `Removed "${path}".\n`;
  }
  return stderr;
}

async function mask(call: Call, name: string, runtime: boolean): Promise<ProgramResult | null> {
  const path = `${runtime ? '/run' : '/etc'}/systemd/system/${name}`;
  const entry = call.fs.entry(path);
  if (entry?.kind === 'node') return null;
  if (entry !== undefined) return fail(1, `Failed to mask unit: File '${path}' already exists.`);
  await call.fs.rm(path, { force: true });
  await call.fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  await call.fs.symlink('/dev/null', path);
  return { stderr: `Created symlink ${path} → /dev/null.\n` };
}

async function unmask(call: Call, name: string): Promise<string> {
  let stderr = '';
  for (const root of ['/etc', '/run']) {
    const path = `${root}/systemd/system/${name}`;
    if (call.fs.entry(path)?.kind !== 'node') continue;
    await call.fs.rm(path, { force: true });
    stderr += `Removed "${path}".\n`;
  }
  return stderr;
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

let transientNumber = 0;
const systemdRun: Program = async (call) => {
  const args = parseArgs(
    call.args,
    [
      '--unit',
      '-u',
      '--property',
      '-p',
      '--setenv',
      '-E',
      '--on-active',
      '--on-boot',
      '--description',
      '--working-directory',
      '--uid',
      '--slice',
      '--service-type',
      '--nice',
    ],
    true,
  );
  const { flags, values, rest } = args;
  transientNumber += 1;
  const name = withSuffix(values.get('--unit')?.[0] ?? values.get('-u')?.[0] ?? `run-u${transientNumber}`);
  const systemd = manager(call);
  const loaded = systemd.load(name);
  if (loaded.load === 'loaded')
    return fail(1, `Failed to start transient service unit: Unit ${name} was already loaded or has a fragment file.`);
  if (rest.length === 0) return fail(1, 'systemd-run: Command line to execute required.');
  const settings = [...(values.get('--property') ?? []), ...(values.get('-p') ?? [])];
  const description = values.get('--description')?.[0] ?? rest.join(' ');
  const unitSettings = settings.filter((setting) =>
    /^(Description|After|Before|Requires|Wants|Conflicts|DefaultDependencies|Condition\w+)=/.test(setting),
  );
  const environment = [...(values.get('--setenv') ?? []), ...(values.get('-E') ?? [])].map((pair) =>
    pair.includes('=') ? pair : `${pair}=${call.env.get(pair) ?? ''}`,
  );
  const lines = [
    '[Unit]',
    `Description=${description}`,
    ...unitSettings,
    '[Service]',
    ...settings.filter((setting) => !unitSettings.includes(setting)),
    ...(flags.has('--remain-after-exit') || flags.has('-r') ? ['RemainAfterExit=yes'] : []),
    ...(values.get('--service-type') ?? []).map((type) => `Type=${type}`),
    ...(values.get('--working-directory') ?? []).map((path) => `WorkingDirectory=${path}`),
    ...environment.map((pair) => `Environment=${quoted(pair)}`),
    `ExecStart=${rest.map((word) => quoted(word.replaceAll('%', '%%').replaceAll('$', '$$$$'))).join(' ')}`,
  ];
  await call.fs.mkdir('/run/systemd/transient', { recursive: true });
  const write = (path: string, text: readonly string[]): void =>
    call.fs.put(`/run/systemd/transient/${path}`, `${text.join('\n')}\n`);
  write(name, lines);
  const after = values.get('--on-active')?.[0];
  if (after !== undefined) {
    const timer = name.replace(/\.service$/, '.timer');
    write(timer, [
      '[Unit]',
      `Description=${description}`,
      '[Timer]',
      `OnActiveSec=${after}`,
      `Unit=${name}`,
      'RemainAfterElapse=no',
    ]);
    await systemd.start(timer);
    return {
      stderr:
        flags.has('--quiet') || flags.has('-q')
          ? ''
          : `Running timer as unit: ${timer}\nWill run service as unit: ${name}\n`,
    };
  }
  const note = flags.has('--quiet') || flags.has('-q') ? '' : `Running as unit: ${name}\n`;
  if (flags.has('--wait') || flags.has('--pipe') || flags.has('-P')) {
    const unit = systemd.load(name);
    await systemd.start(name);
    await unit.process?.done;
    return { stderr: note, exitCode: unit.mainStatus };
  }
  if (flags.has('--no-block')) {
    void systemd.start(name);
    return { stderr: note };
  }
  const error = await systemd.start(name);
  return error === null ? { stderr: note } : fail(1, error);
};

const quoted = (word: string): string =>
  /^[\w@%+=:,./${}-]+$/.test(word)
    ? word
    : `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

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

const journalctl: Program = (call) => {
  const { flags, values } = parseArgs(joinedBoot(call.args), [
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
      (units.length === 0 || (line.unit !== null && units.some((unit) => unit.test(line.unit ?? '')))) &&
      (!(flags.has('-k') || flags.has('--dmesg')) || line.identifier === 'kernel') &&
      (grep === undefined || new RegExp(grep, 'i').test(line.text)),
  );
  const limit = Number(values.get('-n')?.[0] ?? values.get('--lines')?.[0] ?? Number.NaN);
  if (!Number.isNaN(limit)) lines = lines.slice(-limit);
  if (lines.length === 0) return flags.has('-q') || flags.has('--quiet') ? '' : '-- No entries --\n';
  if (output === 'cat') return lines.map((line) => `${line.text}\n`).join('');
  return lines
    .map(
      (line) =>
        `${new Date(line.at).toUTCString().slice(5, 25)} ${call.kernel.machine.name} ${line.identifier}: ${line.text}\n`,
    )
    .join('');
};

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
  if (network === null) await machine.sshEndpoint.up(kernel);
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

export const SYSTEMD_PROGRAMS: Programs = {
  systemctl,
  'systemd-run': systemdRun,
  journalctl,
  shutdown,
  reboot: shutdown,
  poweroff: shutdown,
  'lab:modules-load': modulesLoad,
  'lab:udevd': () => '',
  'lab:daemon': idle,
  'lab:sshd': sshd,
  udevadm,
  'systemd-detect-virt': () => ({ stdout: 'none\n', exitCode: 1 }),
  'systemd-inhibit': () => '',
  'systemd-analyze': (call) => (call.args[0] === 'verify' ? '' : 'Startup finished.\n'),
};
