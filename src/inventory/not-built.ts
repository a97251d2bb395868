/**
 * What the inventory will say one day and cannot say yet. It is refused by name: a key that is accepted and ignored would let
 * people trust in something that does not happen.
 * @module
 */

interface NotBuilt {
  /** Matched against the path as text. */
  readonly path: RegExp;
  /** Why, and what to do instead. */
  readonly instead: string;
}

const BOOT = String.raw`^(defaults|servers\.[^.]+)\.boot`;

/** Keys that the schema does not know. */
const KEYS: readonly NotBuilt[] = [
  { path: /^notify$/, instead: 'sending notices is not built yet: remove it and follow runs with gpu-provision watch' },
  {
    path: /^clusters\.[^.]+\.storage$/,
    instead: 'storage backends are not built yet: remove it and create the LINSTOR pool and StorageClasses by hand',
  },
  {
    path: /^clusters\.[^.]+\.cozystack\.existing$/,
    instead: 'taking over a Cozystack that exists already is not built yet: this run installs its own, remove it',
  },
  {
    path: /^servers\.[^.]+\.disks$/,
    instead: 'giving disks to storage is not built yet: remove it, no disk is touched',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.window$`),
    instead: 'reboot windows are not built yet: remove it and approve at a time that suits',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.approval\.(required|from)$`),
    instead: 'counting or naming approvers is not built yet: remove it, one approval by anybody is asked for',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.approval\.notStarter$`),
    instead: 'keeping the starter from approving is not built yet: remove it, and agree on it among people',
  },
];

/** Values of keys that the schema knows, where another value is meant for later. */
const VALUES: readonly (NotBuilt & { readonly value: RegExp })[] = [
  {
    path: /^servers\.[^.]+\.role$/,
    value: /^agent$/,
    instead: 'joining a server to an existing cluster is not built yet: only role server is',
  },
  {
    path: /^servers\.[^.]+\.gpus\.nvswitch$/,
    value: /^./,
    instead: 'only nvswitch: none is built, where GPUs in VMs work without NVLink',
  },
];

export function notBuiltKey(path: string): string | null {
  return KEYS.find((row) => row.path.test(path))?.instead ?? null;
}

export function notBuiltValue(path: string, value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return VALUES.find((row) => row.path.test(path) && row.value.test(value))?.instead ?? null;
}
