import { join } from 'node:path';
import { openArtifactStore } from '../../adapters/artifacts/index.js';
import { redactor } from '../../adapters/secrets/index.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { loadInventory } from '../../inventory/index.js';
import { WORKER_LIMITS, type WorkerLimits } from '../../worker-limits.js';
import { stateDir } from '../../state-dir.js';
import type { Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import { inventoryPath } from '../inventory-path.js';

export interface WorkerArgs extends Readonly<Record<keyof WorkerLimits, string>> {
  /** Sites to serve; the inventory's when empty. */
  readonly site: readonly string[];
  readonly inventory?: string;
  readonly deployment?: string;
  /** Where evidence is kept; below the state directory when left out. */
  readonly artifacts?: string;
}

/** Serves runs until Ctrl-C or SIGTERM; activities under way are finished or handed back first. */
export async function worker({ io }: Deps, args: WorkerArgs): Promise<number> {
  const limits = {
    hostChanges: limit('hostChanges', args),
    watches: limit('watches', args),
    graceSeconds: limit('graceSeconds', args),
  };
  const sites = args.site.length > 0 ? args.site : [loadInventory(inventoryPath(args.inventory, io)).site];
  const artifacts = openArtifactStore(args.artifacts ?? join(stateDir(io.env), 'artifacts'), {
    env: io.env,
    remember: (secret) => redactor.remember(secret),
  });
  // Loaded only here: it brings the adapters and the native part of Temporal, which no other command needs.
  const { runWorker } = await import('../../worker.js');
  const { ownBuildId } = await import('../../worker-version.js');
  const { deployment } = args;
  const version = deployment === undefined ? '' : `, version ${await ownBuildId()} of ${deployment}`;
  io.stderr(`worker for site ${sites.join(', ')}${version}; Ctrl-C stops it\nartifacts in ${artifacts.url}\n`);
  await runWorker({
    sites: [...sites],
    signal: io.signal,
    limits,
    artifacts,
    ...(deployment === undefined ? {} : { deployment }),
  });
  return EXIT.done;
}

/** `--host-changes` */
export const limitOption = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function limit(name: keyof WorkerLimits, args: WorkerArgs): number {
  const text = args[name];
  const { least, most, what } = WORKER_LIMITS[name];
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${limitOption(name)} ${text}: expected a whole number from ${least} to ${most}, ${what}`);
}
