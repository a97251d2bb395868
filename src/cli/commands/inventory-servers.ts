import { EXIT } from '../../domain/run/outcomes.js';
import { loadInventory } from '../../inventory/index.js';
import type { CommonArgs, Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface InventoryServersArgs extends CommonArgs {
  readonly file?: string;
}

/** Names, one a line: for loops, and for completion. */
export async function inventoryServers({ io }: Deps, args: InventoryServersArgs): Promise<number> {
  const { site, servers } = loadInventory(inventoryPath(args.file, io));
  const screen = new Screen(io, args);
  if (args.json) screen.resultJson({ site, servers: [...servers.keys()] });
  else screen.result([...servers.keys()]);
  return EXIT.done;
}
