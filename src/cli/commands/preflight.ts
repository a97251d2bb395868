import { checksExit, isBlocked, renderPreflight } from '../../domain/text/preflight.js';
import { loadInventory, resolveServer } from '../../inventory/index.js';
import type { CommonArgs, Deps } from '../deps.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface PreflightArgs extends CommonArgs {
  readonly server: string;
  readonly inventory?: string;
}

/** Reads the host from this machine and judges it. Needs neither Temporal nor a worker. Exit 7 when a check blocks. */
export async function preflight({ io }: Deps, args: PreflightArgs): Promise<number> {
  const spec = resolveServer(loadInventory(inventoryPath(args.inventory, io)), args.server);
  const screen = new Screen(io, args);
  screen.progress([`reading ${spec.name} (${spec.ssh.host}) from this machine; nothing is written`]);
  // Loaded only here: it brings the adapters.
  const { preflightDirectly } = await import('../../direct.js');
  const warn = (text: string): void => screen.progress([`warning: ${text}`]);
  const found = await preflightDirectly(spec, { env: io.env, signal: io.signal, warn });
  const report = { server: spec.name, address: spec.ssh.host, ...found };
  const exit = checksExit(report);
  if (args.json) screen.resultJson({ ...report, blocked: isBlocked(report), exit });
  else screen.result(renderPreflight(report, screen.width));
  return exit;
}
