import type { Day2Input, RunPurpose } from '../../domain/run/messages.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';
import { stayWith } from './start.js';

export interface Day2Args extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
  readonly detach: boolean;
  readonly reason?: string;
}

/** Starts a run over a server that is provisioned, and stays with it unless detached: its question comes within minutes. */
export function day2(purpose: RunPurpose): (deps: Deps, args: Day2Args) => Promise<number> {
  return async (deps, args) => {
    const spec = resolveServer(loadInventory(inventoryPath(args.inventory, deps.io)), args.server);
    const reason = args.reason === undefined ? {} : { reason: args.reason };
    const input: Day2Input = { spec, startedBy: deps.io.identity, ...reason };
    return connected(deps, async (client) =>
      stayWith(client, await client.startDay2(purpose, input), new Screen(deps.io, args), args.detach),
    );
  };
}
