/**
 * Starts simulated hosts, all in this process.
 * @module
 */
import { directory, file, parentOf, type Entry } from './disk/entry.js';
import { FaultTable } from './faults.js';
import { freshDisk } from './fresh-host.js';
import { Machine } from './machine/machine.js';
import type { Rack, RackOptions, SimulatedHost, SimulatedHostOptions } from './options.js';
import { SshEndpoint } from './ssh/endpoint.js';
import { makeKeyPair } from './ssh/keys.js';

/** Longest first boot to wait for, when hundreds of hosts share a processor. */
const START_LIMIT_MS = 120_000;

/** Resolves when every host is up and answers SSH. */
export async function startRack(options: RackOptions): Promise<Rack> {
  const client = makeKeyPair();
  const faults = new FaultTable();
  const base = await freshDisk();
  const hosts = new Map<string, Machine>();
  for (const hostOptions of options.hosts) {
    if (hosts.has(hostOptions.name)) throw new Error(`two hosts are named ${hostOptions.name}`);
    const ssh = await SshEndpoint.create();
    hosts.set(
      hostOptions.name,
      new Machine(hostOptions, { faults, disk: diskOf(hostOptions, base, client.publicKey), ssh }),
    );
  }
  for (const host of hosts.values()) host.powerOn();
  await Promise.all(
    [...hosts.values()].map((host) => host.waitFor(({ isUp }) => isUp, 'the first boot', START_LIMIT_MS)),
  );
  // Faults are for the run, not for the boot that every test needs first.
  for (const rule of options.faults ?? []) faults.add(rule);
  return {
    host: (name) => {
      const host = hosts.get(name);
      if (host === undefined) throw new Error(`the rack has no host ${name}; it has ${[...hosts.keys()].join(', ')}`);
      return host;
    },
    hosts: [...hosts.values()] satisfies SimulatedHost[],
    faults,
    clientKey: client.privateKey,
    get knownHosts() {
      return [...hosts.values()].map((host) => `${host.knownHostsLine}\n`).join('');
    },
    close: async () => {
      await Promise.all([...hosts.values()].map((host) => host.close()));
    },
  };
}

function diskOf(
  options: SimulatedHostOptions,
  base: ReadonlyMap<string, Entry>,
  clientPublicKey: string,
): ReadonlyMap<string, Entry> {
  const disk = new Map(options.image?.disk ?? base);
  const put = (path: string, content: string, meta: { mode?: number; uid?: number; gid?: number } = {}): void => {
    for (let at = parentOf(path); !disk.has(at); at = parentOf(at)) disk.set(at, directory());
    disk.set(path, file(content, meta));
  };
  put('/etc/hostname', `${options.name}\n`);
  put('/home/ubuntu/.ssh/authorized_keys', `${clientPublicKey} lab\n`, { mode: 0o600, uid: 1000, gid: 1000 });
  for (const [path, content] of Object.entries(options.files ?? {})) put(path, content);
  return disk;
}
