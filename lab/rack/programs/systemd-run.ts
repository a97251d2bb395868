/**
 * systemd-run: transient units, with a timer or without.
 * @module
 */
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';
import { manager, withSuffix } from './unit-files.js';

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

export const SYSTEMD_RUN_PROGRAMS: Programs = { 'systemd-run': systemdRun };
