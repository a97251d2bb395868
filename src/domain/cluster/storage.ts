/**
 * LINSTOR's storage pool on the node, and the StorageClasses that Cozystack's applications ask for and do not bring.
 * Source: what Cozystack 1.5.4's own end-to-end installation runs (hack/e2e-post-install-prep.sh).
 * @module
 */
import type { StorageSpec } from '../spec.js';
import { K3S_BINARY_PATH } from './k3s-layout.js';
import { countAt, jsonOrNull, listAt, textAt, type KubeObject } from './objects.js';

export const LINSTOR_CONTROLLER_REF = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: 'cozy-linstor',
  name: 'linstor-controller',
} as const;
export const LINSTOR_RELEASE_REF = {
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  namespace: 'cozy-linstor',
  name: 'linstor',
} as const;

/** LINSTOR's client is in its controller's container; it has the certificates there. */
const LINSTOR = [
  K3S_BINARY_PATH,
  'kubectl',
  'exec',
  '--namespace',
  LINSTOR_CONTROLLER_REF.namespace,
  `deploy/${LINSTOR_CONTROLLER_REF.name}`,
  '--',
  'linstor',
] as const;
const JSON_OUTPUT = ['-m', '--output-version=v1'] as const;

/** Property of the pool that names the run which made it: LINSTOR keeps properties below `Aux/` for others. */
const RUN_PROPERTY = 'Aux/gpu-provision/run';

export const listNodes = (): readonly string[] => [...LINSTOR, ...JSON_OUTPUT, 'node', 'list'];
export const listPools = (pool: string): readonly string[] => [
  ...LINSTOR,
  ...JSON_OUTPUT,
  'storage-pool',
  'list',
  '-s',
  pool,
];

/** Takes the devices, kernel names as of now: LINSTOR compares them with what its satellite lists. */
export const createPool = ({ pool, backend }: StorageSpec, node: string, devices: readonly string[]): string[] => [
  ...LINSTOR,
  'physical-storage',
  'create-device-pool',
  backend,
  node,
  ...devices,
  '--pool-name',
  pool,
  '--storage-pool',
  pool,
];
export const markPool = (pool: string, node: string, runId: string): readonly string[] => [
  ...LINSTOR,
  'storage-pool',
  'set-property',
  node,
  pool,
  RUN_PROPERTY,
  runId,
];

export interface PoolFacts {
  /** `ZFS`, `LVM`, `LVM_THIN`, … */
  readonly kind: string;
  /** KiB. */
  readonly freeKib: number;
  readonly totalKib: number;
  /** What LINSTOR reports against it; empty when all is well. */
  readonly problems: readonly string[];
  /** The run that made it; null when it was there before. */
  readonly run: string | null;
}

/** The rows of an answer, a list of lists; null for anything else. */
function rows(output: string): readonly unknown[] | null {
  const value = jsonOrNull(output);
  return Array.isArray(value) && value.every(Array.isArray) ? value.flat() : null;
}

/** Whether the node's satellite is connected; null when the answer is something else. */
export function isOnline(output: string, node: string): boolean | null {
  const found = rows(output);
  if (found === null) return null;
  return found.some((row) => textAt(row, 'name') === node && textAt(row, 'connection_status') === 'ONLINE');
}

/** The pool on a node, or null when there is none; `undefined` when the answer is something else. */
export function poolOn(output: string, node: string, pool: string): PoolFacts | null | undefined {
  const found = rows(output);
  if (found === null) return undefined;
  const row = found.find((each) => textAt(each, 'node_name') === node && textAt(each, 'storage_pool_name') === pool);
  if (row === undefined) return null;
  return {
    kind: textAt(row, 'provider_kind') ?? 'unknown',
    freeKib: countAt(row, 'free_capacity') ?? 0,
    totalKib: countAt(row, 'total_capacity') ?? 0,
    problems: listAt(row, 'reports').map((report) => textAt(report, 'message') ?? 'a report without a message'),
    run: textAt(row, 'props', RUN_PROPERTY),
  };
}

/** Kinds that a backend becomes. */
const KIND: Readonly<Record<StorageSpec['backend'], string>> = { zfs: 'ZFS', lvm: 'LVM' };

/** Why a pool is not what was asked for; null when it is usable. */
export function poolProblem(pool: PoolFacts, wanted: StorageSpec['backend'] | null): string | null {
  if (pool.problems.length > 0) return pool.problems.join('; ');
  if (wanted !== null && pool.kind !== KIND[wanted]) return `it is ${pool.kind}, wanted ${KIND[wanted]}`;
  return pool.totalKib > 0 ? null : 'it has no capacity';
}

const TIB_IN_KIB = 1024 ** 3;
const tib = (kib: number): string => `${(kib / TIB_IN_KIB).toFixed(1)} TiB`;

/** `pool data (ZFS, 3.5 TiB, 3.5 TiB free)`. */
export function describePool(name: string, { kind, totalKib, freeKib }: PoolFacts): string {
  return `pool ${name} (${kind}, ${tib(totalKib)}, ${tib(freeKib)} free)`;
}

/** One node: three copies, the usual number, would never find a place. */
const COPIES = '1';
const LINSTOR_CSI = 'linstor.csi.linbit.com';
const DRBD = `property.${LINSTOR_CSI}/DrbdOptions`;

/** Everything but provisioner, pool and number of copies is a matter of taste in a class that somebody else made. */
export const CLASS_ESSENTIALS = /^(provisioner|parameters\.linstor\.csi\.linbit\.com\/(storagePool|autoPlace))$/;
/** All of these are immutable. */
export const CLASS_FIXED_FIELDS = /^(provisioner|parameters\b|volumeBindingMode)/;

/** `replicated` is what Cozystack's applications ask for by default, `local` the cluster's default class. */
export function storageClasses({ pool }: StorageSpec): readonly KubeObject[] {
  const type = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' };
  const csi = (settings: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${LINSTOR_CSI}/${key}`, value]));
  return [
    {
      ...type,
      metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: LINSTOR_CSI,
      parameters: csi({ storagePool: pool, layerList: 'storage', allowRemoteVolumeAccess: 'false' }),
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    },
    {
      ...type,
      metadata: { name: 'replicated' },
      provisioner: LINSTOR_CSI,
      parameters: {
        ...csi({
          storagePool: pool,
          autoPlace: COPIES,
          layerList: 'drbd storage',
          allowRemoteVolumeAccess: 'true',
        }),
        [`${DRBD}/auto-quorum`]: 'suspend-io',
        [`${DRBD}/Resource/on-no-data-accessible`]: 'suspend-io',
        [`${DRBD}/Resource/on-suspended-primary-outdated`]: 'force-secondary',
        [`${DRBD}/Net/rr-conflict`]: 'retry-connect',
      },
      volumeBindingMode: 'Immediate',
      allowVolumeExpansion: true,
    },
  ];
}
