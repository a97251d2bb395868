import { EXIT } from '../../domain/run/outcomes.js';
import { reportOf } from '../../domain/report/report.js';
import type { RunView } from '../../domain/run/view.js';
import { renderStatus } from '../../domain/text/watch.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { Screen } from '../screen.js';

export interface ServerArgs extends CommonArgs {
  readonly server: string;
}

/** One look. Exit 0 when the run answers or is over, however it ended; 8 when nobody is at work on it. */
export async function status(deps: Deps, args: ServerArgs): Promise<number> {
  const screen = new Screen(deps.io, args);
  return connected(deps, async (client) => {
    const view = await client.status(args.server);
    if (args.json) screen.resultJson(reportOf(view));
    else screen.result(renderStatus(view, screen.width));
    return exitOfLook(view);
  });
}

export function exitOfLook({ workflow, contact }: RunView): number {
  return workflow === 'running' && contact.kind !== 'ok' ? EXIT.unreachable : EXIT.done;
}
