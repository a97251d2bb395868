import { connected, type Deps } from '../deps.js';
import { follow } from '../follow.js';
import { Screen } from '../screen.js';
import type { ServerArgs } from './status.js';

/** Stays with the run that is there. Exits as `start` does. */
export async function watch(deps: Deps, args: ServerArgs): Promise<number> {
  return connected(deps, (client) => follow(client, args.server, new Screen(deps.io, args)));
}
