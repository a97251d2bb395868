import { LISTED_RUNS_LIMIT, type ListFilter } from '../../client.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { renderList } from '../../domain/text/list.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { Screen } from '../screen.js';

export interface ListArgs extends CommonArgs {
  readonly all: boolean;
  readonly site?: string;
}

/** The runs of every server; works without a worker. */
export async function list(deps: Deps, args: ListArgs): Promise<number> {
  const screen = new Screen(deps.io, args);
  const filter: ListFilter = { all: args.all, ...(args.site === undefined ? {} : { site: args.site }) };
  return connected(deps, async (client) => {
    const runs = await client.list(filter);
    if (args.json) screen.resultJson({ runs });
    else screen.result(renderList(runs, new Date().toISOString(), screen.width));
    if (runs.length === LISTED_RUNS_LIMIT)
      screen.progress([`only the newest ${LISTED_RUNS_LIMIT} runs are listed: ask for one --site`]);
    return EXIT.done;
  });
}
