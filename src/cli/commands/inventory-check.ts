import { EXIT } from '../../domain/run/outcomes.js';
import { count } from '../../domain/text/words.js';
import { checkInventory, loadInventory } from '../../inventory/index.js';
import type { CommonArgs, Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface InventoryCheckArgs extends CommonArgs {
  readonly file?: string;
  /** Also look for unset environment variables that secrets name: where the worker runs. */
  readonly secrets: boolean;
}

/** Reads files only; needs no Temporal. */
export async function inventoryCheck({ io }: Deps, args: InventoryCheckArgs): Promise<number> {
  const path = inventoryPath(args.file, io);
  const screen = new Screen(io, args);
  const problems = checkInventory(path, { secrets: args.secrets });
  if (args.json) screen.resultJson({ path, ok: problems.length === 0, problems });
  else if (problems.length > 0) screen.progress([...problems, `${count(problems.length, 'problem')} in ${path}`]);
  else {
    const { site, servers } = loadInventory(path);
    screen.result([`${path}: site ${site}, ${count(servers.size, 'server')}: ${[...servers.keys()].join(', ')}`]);
  }
  return problems.length === 0 ? EXIT.done : EXIT.badInput;
}
