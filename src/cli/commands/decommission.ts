import type { DecommissionInput } from '../../domain/run/messages.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';
import { stayWith } from './start.js';

export interface DecommissionArgs extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
  readonly detach: boolean;
  readonly reason?: string;
}

/** Starts a run that gives the GPUs back, and stays with it unless detached: the question comes within minutes. */
export async function decommission(deps: Deps, args: DecommissionArgs): Promise<number> {
  const spec = resolveServer(loadInventory(inventoryPath(args.inventory, deps.io)), args.server);
  const reason = args.reason === undefined ? {} : { reason: args.reason };
  const input: DecommissionInput = { spec, startedBy: deps.io.identity, ...reason };
  return connected(deps, async (client) =>
    stayWith(client, await client.decommission(input), new Screen(deps.io, args), args.detach),
  );
}
