import { EXIT } from '../../domain/run/outcomes.js';
import { loadInventory } from '../../inventory/index.js';
import type { Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';

export interface WorkerArgs {
  /** Sites to serve; the inventory's when empty. */
  readonly site: readonly string[];
  readonly inventory?: string;
  readonly deployment?: string;
}

/** Serves runs until Ctrl-C or SIGTERM; activities under way are finished or handed back first. */
export async function worker({ io }: Deps, args: WorkerArgs): Promise<number> {
  const sites = args.site.length > 0 ? args.site : [loadInventory(inventoryPath(args.inventory, io)).site];
  // Loaded only here: it brings the adapters and the native part of Temporal, which no other command needs.
  const { runWorker } = await import('../../worker.js');
  const { ownBuildId } = await import('../../worker-version.js');
  const { deployment } = args;
  const version = deployment === undefined ? '' : `, version ${await ownBuildId()} of ${deployment}`;
  io.stderr(`worker for site ${sites.join(', ')}${version}; Ctrl-C stops it\n`);
  await runWorker({ sites: [...sites], signal: io.signal, ...(deployment === undefined ? {} : { deployment }) });
  return EXIT.done;
}
