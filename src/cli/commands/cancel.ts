import type { RunPurpose, RunStatus } from '../../domain/run/messages.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { phaseOf } from '../../domain/run/phases.js';
import { hasEnded, type RunView } from '../../domain/run/view.js';
import { row } from '../../domain/text/layout.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import { Screen } from '../screen.js';

export interface CancelArgs extends CommonArgs {
  readonly server: string;
  readonly confirm?: string;
}

/** Says what a cancel undoes, has the server's name typed, and asks the run to unwind the phase it is in. */
export async function cancel(deps: Deps, args: CancelArgs): Promise<number> {
  const { server, confirm } = args;
  const screen = new Screen(deps.io, args);
  if (confirm !== undefined && confirm !== server) {
    throw new UsageError(`--confirm ${confirm} is not the server's name, ${server}: nothing was cancelled`);
  }
  return connected(deps, async (client) => {
    const view = await client.status(server);
    if (hasEnded(view))
      throw new UsageError(`the run of ${server} is over (${view.workflow}): there is nothing to cancel`);
    screen.progress([
      `cancel ${server}`,
      ...cancelEffects(view).flatMap(([label, text]) => row(label, text, screen.width)),
    ]);
    if (!(await confirmed(deps, args))) {
      screen.progress(['not cancelled']);
      return EXIT.badInput;
    }
    await client.cancel(server);
    if (args.json) screen.resultJson({ server, cancelRequested: true });
    else screen.result([`cancel requested; it undoes first. Look: gpu-provision watch ${server}`]);
    return EXIT.done;
  });
}

async function confirmed({ io }: Deps, { server, confirm, json }: CancelArgs): Promise<boolean> {
  if (confirm === server) return true;
  if (io.terminal === null || json) throw new UsageError(`nobody can be asked here: cancel with --confirm ${server}`);
  return (await io.terminal.ask(`type the server's name to cancel its run: `))?.trim() === server;
}

type Effect = readonly [label: string, text: string];

const OF_DAY_2: Readonly<Record<RunPurpose, string>> = {
  decommission: 'nothing: before the approval the GPUs stay isolated, after it they are given back to the end',
  'upgrade-kernel':
    'before the approval nothing is changed; after it the new kernel, until it is the default: it is removed, and the host booted into the entry that was proven',
  reboot:
    'nothing: before the approval nothing is changed, after it the reboot goes to its end; only a run that is parked ends, with the host as it is',
};

/** Exported for its test. */
export function cancelEffects({ status }: RunView): readonly Effect[] {
  if (status === null) {
    return [
      ['undoes', 'the phase it hits; which one is unknown, since no worker answers. It takes effect when one does.'],
    ];
  }
  const current = status.phases.find(({ state }) => state === 'running' || state === 'waiting');
  if (status.outcome === 'needs-hands') {
    return [['undoes', `nothing more: the undo itself needs hands. First: gpu-provision resume ${status.server}`]];
  }
  if (status.purpose !== undefined) return [['undoes', OF_DAY_2[status.purpose]]];
  if (current === undefined) return [['undoes', 'nothing: no phase has begun']];
  const { number, title } = phaseOf(current.name);
  const undoes =
    current.name === 'gpu-isolation'
      ? isolationUndo(status)
      : `phase ${number} ${title}: ${phaseOf(current.name).fate}`;
  const stays = status.phases
    .filter(({ name, state }) => state === 'done' && name !== 'preflight')
    .map(({ name }) => phaseOf(name).title);
  return [
    ['undoes', undoes],
    ['stays', stays.length === 0 ? 'nothing else was changed' : `${stays.join(', ')}: verified, and not touched`],
  ];
}

function isolationUndo({ counts, plan }: RunStatus): string {
  const what = 'phase 4 gpu isolation: hook, images and default entry as before, verified on the host';
  if (counts.forwardReboots === 0) return `${what}; no reboot`;
  const { reboots, powerCycles } = plan?.allows ?? { reboots: 2, powerCycles: 2 };
  return `${what}; at most ${reboots} reboots and ${powerCycles} power cycles, as approved`;
}
