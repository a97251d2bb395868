import { renderDryRun } from '../../domain/text/dry-run.js';
import { checksExit, isBlocked } from '../../domain/text/preflight.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface PlanArgs extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
  readonly diff?: 'all';
}

/** Reads the host and says what a run would do. Exit 7 when a check blocks. */
export async function plan(deps: Deps, args: PlanArgs): Promise<number> {
  const spec = resolveServer(loadInventory(inventoryPath(args.inventory, deps.io)), args.server);
  const screen = new Screen(deps.io, args);
  return connected(deps, async (client) => {
    screen.progress([`reading ${spec.name} (${spec.ssh.host}); nothing is written`]);
    const preview = await client.plan(spec);
    const exit = checksExit(preview);
    if (args.json) screen.resultJson({ ...preview, blocked: isBlocked(preview), exit });
    else screen.result(renderDryRun(preview, { width: screen.width, allDiffs: args.diff === 'all' }));
    return exit;
  });
}
