import { EXIT } from '../../domain/run/outcomes.js';
import { renderSchedule, renderVerify, verifyExit } from '../../domain/text/verify.js';
import { VERIFIED_PHASES, type VerifyInput } from '../../domain/verify.js';
import { durationSeconds } from '../../inventory/duration.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import { inventoryPath } from '../inventory-path.js';
import { phasesOption } from '../phases-option.js';
import { Screen } from '../screen.js';

export interface VerifyArgs extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
  readonly phases?: string;
  readonly schedule?: string;
  readonly unschedule: boolean;
}

/** Reads what runs have made and says what has drifted, or has that done at intervals. Exit 10 for drift, 9 while a run holds the host. */
export async function verify(deps: Deps, args: VerifyArgs): Promise<number> {
  const screen = new Screen(deps.io, args);
  const every = args.schedule === undefined ? null : interval(args.schedule);
  if (args.unschedule && every !== null)
    throw new UsageError('--schedule and --unschedule: give one of them, not both');
  if (args.unschedule) return unschedule(deps, args.server, screen);
  const spec = resolveServer(loadInventory(inventoryPath(args.inventory, deps.io)), args.server);
  const input: VerifyInput = { spec, phases: phasesOption(args.phases, VERIFIED_PHASES) };
  return connected(deps, async (client) => {
    if (every !== null) {
      const schedule = await client.scheduleVerify(input, every);
      if (args.json) screen.resultJson(schedule);
      else screen.result(renderSchedule(spec.name, schedule, screen.width));
      return EXIT.done;
    }
    screen.progress([`reading ${spec.name} (${spec.ssh.host}); nothing is changed`]);
    const report = await client.verify(input);
    const exit = verifyExit(report);
    if (args.json) screen.resultJson({ ...report, exit });
    else screen.result(renderVerify(report, screen.width));
    return exit;
  });
}

/** A check takes minutes on a real host: more often would only be skipped. */
const SHORTEST_SECONDS = 600;

function interval(text: string): number {
  try {
    const seconds = durationSeconds(text);
    if (seconds >= SHORTEST_SECONDS) return seconds;
  } catch {
    // Falls through to the same message.
  }
  throw new UsageError(`--schedule: "${text}" is no interval; expected 10m or longer, such as 24h or 7d`);
}

function unschedule(deps: Deps, server: string, screen: Screen): Promise<number> {
  return connected(deps, async (client) => {
    await client.unscheduleVerify(server);
    if (screen.options.json) screen.resultJson({ server, unscheduled: true });
    else screen.result([`${server} is verified at intervals no more`]);
    return EXIT.done;
  });
}
