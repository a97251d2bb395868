/**
 * `.demo/`: everything the demo writes. Made new each time, since the rack is new each time and an old run would be about a host that is no more.
 * @module
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { BmcOptions, SimulatedBmc } from '../rack/bmc/index.js';
import type { Rack, SimulatedHost } from '../rack/index.js';
import { DATA_DISK } from '../rack/options.js';
import type { DemoDurations } from './faults.js';
import { BadOption } from '../tools/options.js';

export interface DemoFolder {
  readonly path: string;
  readonly inventory: string;
  readonly database: string;
  readonly workerLog: string;
  readonly temporalLog: string;
  readonly report: string;
  readonly reportPage: string;
  /** An empty Temporal profile, so that one of the user's does not lead the demo to another server. */
  readonly temporalConfig: string;
}

export async function openDemoFolder(path: string): Promise<DemoFolder> {
  const pidFile = join(path, 'pid');
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => 0));
  if (pid > 0 && isAlive(pid)) throw new BadOption(`a demo runs here already: process ${pid}. Stop it, or use it`);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  await writeFile(pidFile, String(process.pid));
  const folder = {
    path,
    inventory: join(path, 'inventory.yaml'),
    database: join(path, 'temporal.db'),
    workerLog: join(path, 'worker.log'),
    temporalLog: join(path, 'temporal.log'),
    report: join(path, 'report.json'),
    reportPage: join(path, 'report.html'),
    temporalConfig: join(path, 'temporal.toml'),
  };
  // Not empty: the SDK reads the default profile without asking whether there is one.
  await writeFile(folder.temporalConfig, '[profile.default]\n');
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export interface DemoServer {
  readonly host: SimulatedHost;
  readonly bmc: SimulatedBmc;
}

export interface DemoServers {
  readonly rack: Rack;
  readonly servers: readonly DemoServer[];
  /** Of every BMC. */
  readonly bmcLogin: BmcOptions['credentials'];
  readonly durations: DemoDurations;
}

export const SITE = 'demo';
const FIRST_LETTER = 97;
/** Of the servers in their cluster network, in order. */
export const NODE_IPS = ['192.0.2.11', '192.0.2.12', '192.0.2.13'] as const;

/** Private files are 0600: the loader looks. */
export async function writeInventory(folder: DemoFolder, site: DemoServers): Promise<void> {
  const { rack, bmcLogin } = site;
  await writeFile(join(folder.path, 'id_ed25519'), rack.clientKey, { mode: 0o600 });
  await writeFile(join(folder.path, 'bmc-credentials'), `${bmcLogin.user}:${bmcLogin.password}`, { mode: 0o600 });
  await writeFile(join(folder.path, 'known_hosts'), rack.knownHosts);
  // In quotes, as the loader asks for PCI addresses.
  const yaml = stringify(inventoryOf(site), { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
  await writeFile(folder.inventory, `# Written by the demo. A real one: examples/inventory.yaml\n${yaml}`);
}

/** As in the field, except for the durations. Each server has a cluster of its own. */
function inventoryOf({ servers, durations }: DemoServers): object {
  const numbered = servers.map((server, i) => ({
    ...server,
    cluster: `demo-${String.fromCodePoint(FIRST_LETTER + i)}`,
    nodeIP: NODE_IPS[i] ?? '',
  }));
  return {
    site: SITE,
    clusters: Object.fromEntries(numbered.map(({ cluster, nodeIP }) => [cluster, clusterOf(nodeIP)])),
    defaults: {
      ssh: { user: 'ubuntu', key: 'file:./id_ed25519', knownHosts: 'file:./known_hosts' },
      boot: {
        deadMan: durations.deadMan,
        settle: '2s',
        verify: '36s',
        approval: { expires: '1h', reminder: '10m' },
        ladder: { wait: durations.wait, look: '3s', graceful: '3s', powerCycle: '30s' },
      },
    },
    servers: Object.fromEntries(
      numbered.map(({ host, bmc, cluster, nodeIP }) => [
        host.name,
        {
          cluster,
          role: 'server',
          address: '127.0.0.1',
          nodeIP,
          ssh: { port: host.ssh.port },
          serial: host.serial,
          bmc: { redfish: bmc.url, tls: bmc.tlsFingerprint, credentials: 'file:./bmc-credentials' },
          gpus: {
            id: '10de:2330',
            addresses: ['0a:00.0', '18:00.0', '3b:00.0', '44:00.0', '87:00.0', '90:00.0', 'b8:00.0', 'c1:00.0'],
            resource: 'nvidia.com/H100_SXM5_80GB',
            nvswitch: 'none',
          },
          disks: [`/dev/disk/by-id/${DATA_DISK.id}`],
        },
      ]),
    ),
  };
}

function clusterOf(nodeIP: string): object {
  return {
    k3s: { version: 'v1.35.3+k3s1' },
    cozystack: { version: '1.5.4', host: 'example.org', externalIPs: [nodeIP] },
    nested: {
      main: { tenant: 'workload', nodes: 2, cpu: 56, memory: '512Gi', disk: '200Gi', gpusPerNode: 4 },
    },
  };
}
