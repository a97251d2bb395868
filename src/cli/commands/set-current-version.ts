import { EXIT } from '../../domain/run/outcomes.js';
import { connected, type CommonArgs, type Deps } from '../deps.js';
import { Screen } from '../screen.js';

export interface SetCurrentVersionArgs extends CommonArgs {
  readonly deployment: string;
  /** This program's own when left out. */
  readonly buildId?: string;
}

/** New runs go to workers of this version from then on. */
export async function setCurrentVersion(deps: Deps, args: SetCurrentVersionArgs): Promise<number> {
  const { deployment } = args;
  const screen = new Screen(deps.io, args);
  // Loaded only here: it reads the workflow bundle, which only an installation that was built has.
  const { ownBuildId } = await import('../../worker-version.js');
  const buildId = args.buildId ?? (await ownBuildId());
  return connected(deps, async (client) => {
    await client.setCurrentVersion(deployment, buildId);
    if (args.json) screen.resultJson({ deployment, buildId });
    else screen.result([`new runs go to version ${buildId} of ${deployment}; runs under way stay with their version`]);
    return EXIT.done;
  });
}
