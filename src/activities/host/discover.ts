/**
 * Reads from a host what its entry in an inventory needs. Read-only.
 * @module
 */
import { parseDisks } from '../../domain/cluster/disks.js';
import { discovered, type DiscoveredHost, diskIds } from '../../domain/discover.js';
import { parseFactLines, type FactLines } from '../../domain/preflight/fact-lines.js';
import { ProvisionError } from '../../ports/failure.js';
import { readDevices } from './devices.js';
import { DISCOVER_FACTS, DISK_FACTS } from './facts-scripts.js';
import type { RemoteHost } from './remote-host.js';

export async function discoverHost(host: RemoteHost): Promise<DiscoveredHost> {
  const lines = facts(await host.script(DISCOVER_FACTS));
  const ids = diskIds(lines);
  const disks = ids.length === 0 ? [] : parseDisks(ids, facts(await host.script(DISK_FACTS, ids)));
  return discovered(lines, await readDevices({ host }), disks);
}

function facts(output: string): FactLines {
  const parsed = parseFactLines(output);
  if (!parsed.ok) throw new ProvisionError('OutputUnexpected', parsed.problem);
  return parsed.value;
}
