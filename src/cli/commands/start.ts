import type { ProvisionClient, StartedRun } from '../../client.js';
import type { ProvisionInput } from '../../domain/run/messages.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { WORKFLOW_QUEUE } from '../../domain/run/messages.js';
import { hang } from '../../domain/text/layout.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { follow } from '../follow.js';
import { inventoryPath } from '../inventory-path.js';
import { phasesOption } from '../phases-option.js';
import { Screen } from '../screen.js';
import { plan } from './plan.js';

export interface StartArgs extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
  readonly phases?: string;
  readonly dryRun: boolean;
  readonly diff?: 'all';
  readonly detach: boolean;
  readonly attach: boolean;
  readonly reason?: string;
}

/** Starts a run, or joins the one there is, and stays with it unless detached. */
export async function start(deps: Deps, args: StartArgs): Promise<number> {
  if (args.dryRun) return plan(deps, args);
  const phases = phasesOption(args.phases);
  const spec = resolveServer(loadInventory(inventoryPath(args.inventory, deps.io)), args.server);
  const reason = args.reason === undefined ? {} : { reason: args.reason };
  const input: ProvisionInput = { spec, phases, startedBy: deps.io.identity, ...reason };
  const screen = new Screen(deps.io, args);
  return connected(deps, async (client) => {
    const started = await client.start(input, { attach: args.attach });
    return stayWith(client, started, screen, args.detach);
  });
}

/** Follows a run that was just started, unless detached. */
export async function stayWith(
  client: ProvisionClient,
  started: StartedRun,
  screen: Screen,
  detach: boolean,
): Promise<number> {
  const { server, runId, workflowId } = started;
  const what = started.attached ? 'joined the run that is under way' : 'started';
  screen.progress(hang('', `${what}: ${workflowId} ${runId}`, screen.width));
  if (!detach) return follow(client, server, screen);
  await warnWithoutWorker(client, screen);
  if (screen.options.json) screen.resultJson(started);
  else screen.result([`gpu-provision watch ${server}`]);
  return EXIT.done;
}

/** Nobody watches a detached start, so it says at once that nothing will happen yet. */
async function warnWithoutWorker(client: ProvisionClient, screen: Screen): Promise<void> {
  if ((await client.workersPolling(WORKFLOW_QUEUE)) > 0) return;
  screen.progress(
    hang('', `no worker polls ${WORKFLOW_QUEUE}: the run begins when one does (gpu-provision worker)`, screen.width),
  );
}
