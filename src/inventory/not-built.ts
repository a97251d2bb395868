/**
 * What the inventory will say one day and cannot say yet. It is refused by name: a key that is accepted and ignored would let
 * people trust in something that does not happen.
 * @module
 */
import { shown } from './problem.js';

interface NotBuilt {
  /** Matched against the path as text. */
  readonly path: RegExp;
  readonly text: string;
}

const BOOT = String.raw`^(defaults|servers\.[^.]+)\.boot`;

/** Keys that the schema does not know. */
const KEYS: readonly NotBuilt[] = [
  {
    path: /^clusters\.[^.]+\.cozystack\.existing$/,
    text: 'using a Cozystack that is there already is not built yet; remove it, a run installs its own',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.window$`),
    text: 'reboot windows are not built yet; remove it and approve at a time that suits',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.approval\.required$`),
    text: 'counting approvals is not built yet; remove it, one is asked for',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.approval\.from$`),
    text: 'naming approvers is not built yet; remove it, anybody who reaches the Temporal server can approve',
  },
  {
    path: new RegExp(String.raw`${BOOT}\.approval\.notStarter$`),
    text: 'keeping the starter from approving is not built yet; remove it and agree on it among people',
  },
];

/** Values of keys that the schema knows, where another value is meant for later. */
const VALUES: readonly (NotBuilt & { readonly value: RegExp })[] = [
  {
    path: /^servers\.[^.]+\.role$/,
    value: /^agent$/,
    text: 'is not built yet; expected server, the only node of its cluster',
  },
  {
    path: /^servers\.[^.]+\.gpus\.nvswitch$/,
    value: /./,
    text: 'is not built yet; expected none, where GPUs in VMs work without NVLink',
  },
];

export function notBuiltKey(path: string): string | null {
  return KEYS.find((row) => row.path.test(path))?.text ?? null;
}

export function notBuiltValue(path: string, value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const row = VALUES.find((candidate) => candidate.path.test(path) && candidate.value.test(value));
  return row === undefined ? null : `${shown(value)} ${row.text}`;
}
