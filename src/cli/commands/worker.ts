import { isIPv4, isIPv6 } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { openArtifactStore } from '../../adapters/artifacts/index.js';
import { redactor } from '../../adapters/secrets/index.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { loadInventory } from '../../inventory/index.js';
import { stateDir } from '../../state-dir.js';
import { WORKER_LIMITS, type WorkerLimits } from '../../worker-limits.js';
import type { LogFormat } from '../../worker-log.js';
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
  /** File of the audit record, or `off`; below the state directory when left out. */
  readonly audit?: string;
  /** Where metrics are served. */
  readonly metrics?: string;
  readonly logFormat: LogFormat;
}

/** Where --metrics is not given. */
const METRICS_VARIABLE = 'GPU_PROVISION_METRICS_ADDRESS';
const MAX_PORT = 65_535;

/** Serves runs until Ctrl-C or SIGTERM; activities under way are finished or handed back first. */
export async function worker({ io }: Deps, args: WorkerArgs): Promise<number> {
  const limits = {
    hostChanges: limit('hostChanges', args),
    watches: limit('watches', args),
    graceSeconds: limit('graceSeconds', args),
  };
  const metricsAddress = addressOf(args.metrics ?? io.env[METRICS_VARIABLE]);
  const sites = args.site.length > 0 ? args.site : [loadInventory(inventoryPath(args.inventory, io)).site];
  const artifacts = openArtifactStore(args.artifacts ?? join(stateDir(io.env), 'artifacts'), {
    env: io.env,
    remember: (secret) => redactor.remember(secret),
  });
  const audit = auditFile(args.audit ?? join(stateDir(io.env), 'audit.jsonl'));
  // Loaded only here: it brings the adapters and the native part of Temporal, which no other command needs.
  const { runWorker } = await import('../../worker.js');
  const { ownBuildId } = await import('../../worker-version.js');
  const { deployment } = args;
  const version = deployment === undefined ? '' : `, version ${await ownBuildId()} of ${deployment}`;
  io.stderr(
    `worker for site ${sites.join(', ')}${version}; Ctrl-C stops it\nartifacts in ${artifacts.url}\naudit record ${audit === null ? 'off' : `in ${audit}`}\n`,
  );
  await runWorker({
    sites: [...sites],
    signal: io.signal,
    limits,
    artifacts,
    ...(audit === null ? {} : { audit }),
    telemetry: { logFormat: args.logFormat, ...(metricsAddress === undefined ? {} : { metricsAddress }) },
    ...(deployment === undefined ? {} : { deployment }),
  });
  return EXIT.done;
}

/** null: none is kept. */
function auditFile(text: string): string | null {
  if (text === 'off') return null;
  if (isAbsolute(text) && !text.endsWith('/')) return text;
  throw new UsageError(
    `--audit ${text}: expected the absolute path of a file, e.g. /var/log/gpu-provision.jsonl, or off`,
  );
}

/** As the exporter takes it: it resolves no names. */
function addressOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const [, v6, v4, port] = /^(?:\[([^\]]*)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? [];
  const isAddress = isIPv6(v6 ?? '') || isIPv4(v4 ?? '');
  if (isAddress && Number(port) >= 1 && Number(port) <= MAX_PORT) return text;
  throw new UsageError(
    `--metrics (or ${METRICS_VARIABLE}) ${text}: expected an IP address and a port, e.g. 127.0.0.1:9464 or 0.0.0.0:9464`,
  );
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
