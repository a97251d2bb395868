import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { EXIT } from '../../domain/run/outcomes.js';
import { isSecretRef, SECRET_REF_TEXT } from '../../domain/secret-ref.js';
import type { ServerSpec, SshSpec } from '../../domain/spec.js';
import { inventoryEntry } from '../../domain/text/inventory-entry.js';
import { loadInventory } from '../../inventory/index.js';
import type { CommonArgs, Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import { inventoryPath } from '../inventory-path.js';
import { Screen } from '../screen.js';

export interface InventoryDiscoverArgs extends CommonArgs {
  readonly address: string;
  readonly inventory?: string;
  readonly user?: string;
  /** Reference to a private key, or `agent`. */
  readonly key?: string;
  readonly knownHosts?: string;
  readonly port?: string;
  readonly name?: string;
}

/**
 * Reads a host and prints its entry for `servers:`. Who to log in as is taken from the first server of the inventory, where there is one. A
 * host key that is not pinned is shown and refused: whoever compared it at the console adds it.
 */
export async function inventoryDiscover({ io }: Deps, args: InventoryDiscoverArgs): Promise<number> {
  const { address } = args;
  if (isIP(address) === 0) throw new UsageError(`${address}: expected an IP address, e.g. 192.0.2.11`);
  const path = inventoryPath(args.inventory, io);
  const like = args.inventory !== undefined || existsSync(path) ? firstServer(path) : null;
  const ssh = sshOf(args, like?.ssh ?? null);
  const screen = new Screen(io, args);
  screen.progress([`reading ${ssh.user}@${address}:${ssh.port}; nothing is written`]);
  // Loaded only here: it brings the adapters.
  const { discoverDirectly } = await import('../../direct.js');
  const warn = (text: string): void => screen.progress([`warning: ${text}`]);
  const host = await discoverDirectly({ name: address, ssh }, { env: io.env, signal: io.signal, warn });
  if (host.serial === null)
    throw new UsageError(`${address} reports no usable serial (dmidecode -s system-serial-number)`);
  if (host.gpus === null) throw new UsageError(`${address} has no NVIDIA GPU on its PCI bus (lspci -d 10de:)`);
  const name = args.name ?? host.name;
  if (name === null) throw new UsageError(`${address} has no host name that can be one here: give it one with --name`);
  const entry = inventoryEntry(host, {
    name,
    address,
    cluster: like?.cluster.name ?? null,
    ssh: unlike(ssh, like?.ssh ?? null),
  });
  if (args.json) screen.resultJson({ ...host, name, address, entry: `${entry.join('\n')}\n` });
  else screen.result(entry);
  return EXIT.done;
}

const firstServer = (path: string): ServerSpec | null => [...loadInventory(path).servers.values()][0] ?? null;

const SSH_PORT = 22;

function sshOf({ address, user, key, knownHosts, port }: InventoryDiscoverArgs, like: SshSpec | null): SshSpec {
  if (key !== undefined && key !== 'agent' && !isSecretRef(key))
    throw new UsageError(`--key: expected agent, or a reference to a private key: ${SECRET_REF_TEXT}`);
  const number = port === undefined ? SSH_PORT : /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) throw new UsageError(`--port ${port}: expected a TCP port, 1 to 65535`);
  const login = user ?? like?.user;
  if (login === undefined) throw new UsageError('--user is missing, and there is no inventory to take it from');
  const given = key === undefined || key === 'agent' || !isSecretRef(key) ? null : key;
  return {
    host: address,
    port: number,
    user: login,
    key: key === undefined ? (like?.key ?? null) : given,
    knownHosts:
      knownHosts === undefined ? (like?.knownHosts ?? join(homedir(), '.ssh/known_hosts')) : resolve(knownHosts),
    ...(like?.bastion === undefined ? {} : { bastion: like.bastion }),
  };
}

/** What the entry must say itself. Of the server that was taken as the pattern, key and user may be its own: then `inventory check` tells. */
function unlike(ssh: SshSpec, like: SshSpec | null): Readonly<Record<string, string | number>> {
  return {
    ...(ssh.user === like?.user ? {} : { user: ssh.user }),
    ...(ssh.key === like?.key ? {} : { key: ssh.key ?? 'agent' }),
    ...(ssh.knownHosts === like?.knownHosts ? {} : { knownHosts: `file:${ssh.knownHosts}` }),
    ...(ssh.port === SSH_PORT ? {} : { port: ssh.port }),
  };
}
