/**
 * Reads from a host what its entry in an inventory needs. Read-only.
 * @module
 */
import { parseDisks } from '../../domain/cluster/disks.js';
import { discovered, type DiscoveredHost, diskIds } from '../../domain/discover.js';
import { readDevices } from './devices.js';
import { DISCOVER_FACTS, DISK_FACTS } from './facts-scripts.js';
import type { RemoteHost } from './remote-host.js';

export async function discoverHost(host: RemoteHost): Promise<DiscoveredHost> {
  const lines = await host.facts(DISCOVER_FACTS);
  const ids = diskIds(lines);
  const disks = ids.length === 0 ? [] : parseDisks(ids, await host.facts(DISK_FACTS, ids));
  return discovered(lines, await readDevices({ host }), disks);
}
