/**
 * The command line: which commands there are and what each takes.
 * @module
 */
import { Argument, Command, Option } from 'commander';
import type { RunPurpose } from '../domain/run/messages.js';
import { PHASE_NAMES } from '../domain/run/phases.js';
import { VERIFIED_PHASES } from '../domain/verify.js';
import { cancel } from './commands/cancel.js';
import { codecServer } from './commands/codec-server.js';
import { completion } from './commands/completion.js';
import { day2 } from './commands/day-2.js';
import { approve, reject, resume } from './commands/decide.js';
import { doctor } from './commands/doctor.js';
import { inventoryCheck } from './commands/inventory-check.js';
import { inventoryDiscover } from './commands/inventory-discover.js';
import { inventoryServers } from './commands/inventory-servers.js';
import { list } from './commands/list.js';
import { plan } from './commands/plan.js';
import { preflight } from './commands/preflight.js';
import { report } from './commands/report.js';
import { setCurrentVersion } from './commands/set-current-version.js';
import { start } from './commands/start.js';
import { status } from './commands/status.js';
import { verify } from './commands/verify.js';
import { watch } from './commands/watch.js';
import { limitOption, worker } from './commands/worker.js';
import { WORKER_LIMITS } from '../worker-limits.js';
import { SHELLS } from './completion/shells.js';
import { LOG_FORMATS } from '../worker-log.js';
import type { Deps } from './deps.js';
import { withExamples } from './examples.js';
import { INVENTORY_VARIABLE } from './inventory-path.js';

/** Where a command leaves its exit code. */
export type Done = (exit: number) => void;

const EXIT_CODES = `
Exit codes: 0 done  1 bug  2 bad input  3 restored  4 needs hands
            5 rejected or expired  6 incomplete  7 refused  9 already running  10 drift
            8 Temporal or worker unreachable (the run is unaffected)
            130 view left, the run goes on`;

const DAY_2: Readonly<Record<RunPurpose, string>> = {
  reboot: 'reboot a provisioned server into its proven entry: asks, falls back to known-good, proves it again',
  'upgrade-kernel':
    'install a newer kernel beside the one that is proven: asks, boots it once, falls back to known-good, and takes it away again when it fails',
  decommission: 'give the GPUs back to the host: asks, undoes, reboots once',
};

type Options = Readonly<Record<string, unknown>>;
type Run<A> = (deps: Deps, args: A) => Promise<number>;

/** `gpu-provision` */
export function gpuProvision(deps: Deps, done: Done): Command {
  const program = base(new Command('gpu-provision'), deps)
    .description(
      'Takes a bare-metal GPU server to a proven node of a Cozystack cloud. Every reboot it asks for can undo itself.',
    )
    .addHelpText('after', EXIT_CODES);
  const server = (name: string, what: string): Command =>
    output(program.command(name).description(what).argument('<server>', 'name in the inventory'));
  const bind = <A>(command: Command, run: Run<A>): Command => command.action(action('server', deps, done, run));

  bind(startOptions(server('start', 'start a run and stay with it; the same as start-provision --server')), start);
  bind(
    server('preflight', 'check the server from this machine, read-only; needs no Temporal').addOption(
      inventoryOption(),
    ),
    preflight,
  );
  bind(planOptions(server('plan', 'say what a run would do; changes nothing')), plan);
  bind(server('status', 'one look at the newest run'), status);
  output(
    program
      .command('list')
      .description('the runs of every server; those that wait for a person come first')
      .option('--all', 'also runs that are over, as long as Temporal keeps them', false)
      .option('--site <name>', 'only of this site'),
  ).action(action(null, deps, done, list));
  bind(
    server('report', 'write the report of the newest run: one HTML file that opens offline').option(
      '--html <file>',
      'default: SERVER-STARTED.html here; with --json, none',
    ),
    report,
  );
  output(
    program
      .command('doctor')
      .description('is everything there that a run needs: Temporal, workers, inventory, and the way to a server')
      .argument('[server]', 'also try its SSH, BMC, secrets and clock')
      .addOption(inventoryOption()),
  ).action(action('server', deps, done, doctor));
  bind(server('watch', 'stay with the run that is there'), watch);
  bind(decideOptions(server('approve', 'approve the reboot whose plan has this digest')), approve);
  bind(decideOptions(server('reject', 'reject the open question, or give a parked phase up')), reject);
  bind(
    decideOptions(server('resume', 'try a parked phase again, or have the host verified again after hands-on work')),
    resume,
  );
  bind(
    server('cancel', 'undo the phase the run is in, and end it').option(
      '--confirm <server>',
      "the server's name, instead of a question",
    ),
    cancel,
  );

  bind(
    server('verify', 'say what is not as the runs left it; changes nothing')
      .addOption(inventoryOption())
      .option('--phases <list>', `only what these left, separated by commas: ${VERIFIED_PHASES.join(',')}`)
      .option('--schedule <interval>', 'have it done at this interval from now on: 24h')
      .option('--unschedule', 'no more at intervals', false),
    verify,
  );

  for (const purpose of ['reboot', 'upgrade-kernel', 'decommission'] as const) {
    bind(
      server(purpose, DAY_2[purpose])
        .addOption(inventoryOption())
        .option('--detach', 'return when the run is started', false)
        .option('--reason <text>', 'why; kept with the run'),
      day2(purpose),
    );
  }

  const serving = program
    .command('worker')
    .description('serve the runs of a site')
    .option('--site <name...>', "sites to serve (default: the inventory's)", [])
    .option(
      '--deployment <name>',
      'serve as a version of this worker deployment: runs stay with the version that began them',
    )
    .option(
      '--artifacts <place>',
      'where evidence is kept, an absolute path or s3://BUCKET/PREFIX (default: ~/.local/state/gpu-provision/artifacts)',
    )
    .option(
      '--audit <file>',
      'where moments of runs are recorded, an absolute path, or off (default: ~/.local/state/gpu-provision/audit.jsonl)',
    )
    .option(
      '--metrics <ip:port>',
      'serve metrics for Prometheus there (default: $GPU_PROVISION_METRICS_ADDRESS, else none)',
    )
    .addOption(new Option('--log-format <format>', 'of the log on stderr').choices(LOG_FORMATS).default('json'))
    .addOption(inventoryOption());
  for (const [name, { usual, what }] of Object.entries(WORKER_LIMITS))
    serving.option(`${limitOption(name)} <number>`, what, String(usual));
  serving.action(action(null, deps, done, worker));

  output(
    program
      .command('set-current-version')
      .description('let new runs go to one version of the workers; the others finish what they began')
      .requiredOption('--deployment <name>', 'as the workers were started with')
      .option('--build-id <id>', "the version (default: this program's own)"),
  ).action(action(null, deps, done, setCurrentVersion));

  program
    .command('codec-server')
    .description("decrypt payloads for Temporal's UI and CLI, where runs are encrypted")
    .option('--port <number>', 'TCP port to listen on', '8081')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--origin <url...>', 'pages that may ask: where the UI is, http://127.0.0.1:8080', [])
    .option('--token <reference>', 'secret that callers send as Authorization: Bearer')
    .action(action(null, deps, done, codecServer));

  const inventory = program.command('inventory').description('look at the inventory');
  output(inventory.command('check').description('check an inventory and the files it names; needs no Temporal'))
    .argument('[file]', `default: $${INVENTORY_VARIABLE}, else ./inventory.yaml`)
    .option('--secrets', 'also look for the environment variables that secrets name: where the worker runs', false)
    .action(action('file', deps, done, inventoryCheck));
  output(inventory.command('discover').description('read a host over SSH and print its entry; changes nothing'))
    .argument('<address>', 'IP address of the host')
    .option('--user <name>', "who logs in (default: as the inventory's first server)")
    .option('--key <reference>', "private key, or agent (default: the inventory's, else agent)")
    .option('--known-hosts <file>', "where its key is pinned (default: the inventory's, else ~/.ssh/known_hosts)")
    .option('--port <number>', 'TCP port of its sshd (default: 22)')
    .option('--name <name>', 'in the inventory (default: its host name)')
    .addOption(inventoryOption())
    .action(action('address', deps, done, inventoryDiscover));
  output(inventory.command('servers').description('names of the servers, one a line; needs no Temporal'))
    .argument('[file]', `default: $${INVENTORY_VARIABLE}, else ./inventory.yaml`)
    .action(action('file', deps, done, inventoryServers));

  program
    .command('completion')
    .description('a script that completes commands, options and names of servers')
    .addArgument(new Argument('<shell>', 'whose script').choices(SHELLS))
    .action(
      action(
        'shell',
        deps,
        done,
        completion(() => [program, startProvision(deps, done)]),
      ),
    );
  return withExamples(program);
}

/** `start-provision` */
export function startProvision(deps: Deps, done: Done): Command {
  const program = base(new Command('start-provision'), deps)
    .description('Starts a run for one server and stays with it: gpu-provision start.')
    .addHelpText('after', EXIT_CODES)
    .requiredOption('--server <name>', 'name in the inventory');
  return withExamples(startOptions(output(program)).action(action(null, deps, done, start)));
}

function base(command: Command, { io }: Deps): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout(text), writeErr: (text) => io.stderr(text) })
    .showHelpAfterError(`(${command.name()} --help says what there is)`);
}

/** Commander gives the argument first, where there is one, then the options. */
function action<A>(argument: string | null, deps: Deps, done: Done, run: Run<A>) {
  return async (...given: unknown[]): Promise<void> => {
    const [first, second] = given;
    const args = argument === null ? { ...(first as Options) } : { ...(second as Options), ...named(argument, first) };
    done(await run(deps, args as A));
  };
}

function named(argument: string, value: unknown): Options {
  return value === undefined ? {} : { [argument]: value };
}

function output(command: Command): Command {
  return command
    .option('--json', 'results on stdout as JSON, events on stderr as JSON lines', false)
    .option('--ascii', 'print ASCII only', false);
}

function inventoryOption(): Option {
  return new Option('--inventory <file>', `default: $${INVENTORY_VARIABLE}, else ./inventory.yaml`);
}

function planOptions(command: Command): Command {
  return command.addOption(inventoryOption()).addOption(diffOption());
}

function diffOption(): Option {
  return new Option('--diff <which>', 'show the change of every file').choices(['all']);
}

function startOptions(command: Command): Command {
  return command
    .addOption(inventoryOption())
    .option('--phases <list>', `only these, separated by commas: ${PHASE_NAMES.join(',')}`)
    .option('--dry-run', 'say what would be done; changes nothing', false)
    .addOption(diffOption())
    .option('--detach', 'return when the run is started', false)
    .option('--attach', 'join the run of this server if there is one', false)
    .option('--reason <text>', 'why; kept with the run');
}

function decideOptions(command: Command): Command {
  return command
    .option('--digest <digest>', 'of the plan that was reviewed: 7f3a-91c2')
    .option('--gate <id>', 'the question that is answered (default: the open one)')
    .option('--reason <text>', 'why; kept with the run')
    .option('--note <text>', 'the same');
}
