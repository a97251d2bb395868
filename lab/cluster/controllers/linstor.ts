/**
 * LINSTOR as its client in the controller's container shows it: the node's satellite, and storage pools on the host's disks.
 * @module
 */

export interface LinstorPool {
  readonly kind: string;
  readonly bytes: number;
  readonly props: Record<string, string>;
}

export interface LinstorSite {
  readonly node: string;
  readonly disks: readonly { readonly path: string; readonly bytes: number; readonly isEmpty: boolean }[];
  /** By name; kept by the caller, as LINSTOR keeps them in the cluster. */
  readonly pools: Map<string, LinstorPool>;
  /** A disk became part of a pool: what wipefs will see on it. */
  readonly taken: (path: string, signature: string) => void;
}

export interface ClientResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const KINDS: Readonly<Record<string, { readonly kind: string; readonly signature: string }>> = {
  zfs: { kind: 'ZFS', signature: 'zfs_member' },
  lvm: { kind: 'LVM', signature: 'LVM2_member' },
};
/** The client's exit code for an error that the controller reports. */
const API_ERROR = 10;

const printed = (rows: readonly unknown[]): ClientResult => ({
  stdout: `${JSON.stringify([rows], null, 2)}\n`,
  stderr: '',
  exitCode: 0,
});
const done = (what: string): ClientResult => ({ stdout: `SUCCESS:\n    ${what}\n`, stderr: '', exitCode: 0 });
const refused = (why: string): ClientResult => ({ stdout: `ERROR:\n    ${why}\n`, stderr: '', exitCode: API_ERROR });

/** `linstor ARGS…`. */
export function linstorClient(site: LinstorSite, args: readonly string[]): ClientResult {
  const words = args.filter((arg) => !arg.startsWith('-m') && !arg.startsWith('--output-version'));
  switch (words.slice(0, 2).join(' ')) {
    case 'node list':
      return printed([{ name: site.node, type: 'SATELLITE', connection_status: 'ONLINE' }]);
    case 'storage-pool list':
      return printed(
        [...site.pools]
          .filter(([name]) => words[2] !== '-s' || words[3] === name)
          .map(([name, pool]) => poolRow(site, name, pool)),
      );
    case 'physical-storage create-device-pool':
      return create(site, words.slice(2));
    case 'storage-pool set-property':
      return setProperty(site, words.slice(2));
    default:
      return { stdout: '', stderr: `lab: linstor ${args.join(' ')} is not played here\n`, exitCode: 2 };
  }
}

/** Capacities are KiB. */
const poolRow = (site: LinstorSite, name: string, { kind, bytes, props }: LinstorPool): object => ({
  storage_pool_name: name,
  node_name: site.node,
  provider_kind: kind,
  props: { 'StorDriver/StorPoolName': name, ...props },
  free_capacity: Math.floor((bytes * 0.97) / 1024),
  total_capacity: Math.floor(bytes / 1024),
  reports: [],
});

/** `KIND NODE DEVICE… --pool-name NAME --storage-pool NAME`: as LINSTOR, only whole devices with nothing on them. */
function create(site: LinstorSite, words: readonly string[]): ClientResult {
  const options = words.findIndex((word) => word.startsWith('--'));
  const [kind = '', node = '', ...devices] = words.slice(0, options < 0 ? undefined : options);
  const name = words[words.indexOf('--storage-pool') + 1] ?? '';
  const made = KINDS[kind];
  if (made === undefined) return refused(`kind ${kind} is not played here`);
  if (node !== site.node) return refused(`Node '${node}' not found.`);
  if (site.pools.has(name)) return refused(`Storage pool '${name}' on node '${node}' already exists.`);
  const found = devices.map((path) => site.disks.find((disk) => disk.path === path));
  const bad = devices.find((_, i) => found[i]?.isEmpty !== true);
  if (bad !== undefined) return refused(`Device '${bad}' not found or not empty on node '${node}'.`);
  for (const path of devices) site.taken(path, made.signature);
  const bytes = found.reduce((sum, disk) => sum + (disk?.bytes ?? 0), 0);
  site.pools.set(name, { kind: made.kind, bytes, props: {} });
  return done(`New storage pool '${name}' on node '${node}' registered.`);
}

function setProperty(site: LinstorSite, [node = '', name = '', key = '', value = '']: readonly string[]): ClientResult {
  const pool = site.pools.get(name);
  if (node !== site.node || pool === undefined) return refused(`Storage pool '${name}' on node '${node}' not found.`);
  pool.props[key] = value;
  return done(`Successfully set property key(s): ${key}`);
}
