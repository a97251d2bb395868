/**
 * What is there, read back from host and cluster, to hold the claims of an outcome against.
 * @module
 */
import { createClusterProvider } from '../../src/adapters/kubernetes/index.js';
import { createSecretSource } from '../../src/adapters/secrets/index.js';
import { createHostProvider } from '../../src/adapters/ssh/index.js';
import { kubeconfigOf } from '../../src/domain/cluster/nested.js';
import type { Site } from '../integration/rig.js';

const ROOTS = ['/etc', '/boot', '/usr/local'];
/** GRUB and its service write their own notes there at every boot. */
const GRUBENV = '/boot/grub/grubenv';

/** A text for each file and object, by path. */
export type Manifest = ReadonlyMap<string, string>;

/** Below /boot, but for the known-good copy, which stays. */
export const decidesBoot = (path: string): boolean =>
  path.startsWith('/boot/') && !path.startsWith('/boot/gpu-provision');

export function hostManifest({ host }: Pick<Site, 'host'>): Manifest {
  return new Map(
    [...host.snapshot(ROOTS)]
      .filter(([path]) => path !== GRUBENV)
      .map(([path, { mode, owner, sha256 }]) => [path, `${mode} ${owner} ${sha256}`]),
  );
}

const apps = 'apps.cozystack.io/v1alpha1';
/** Everything that phases 6 to 8 make or change in the host's cluster. */
const KINDS = [
  { apiVersion: apps, kind: 'Tenant' },
  { apiVersion: apps, kind: 'Kubernetes' },
  { apiVersion: 'cozystack.io/v1alpha1', kind: 'Package' },
  { apiVersion: 'kubevirt.io/v1', kind: 'KubeVirt' },
  { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' },
] as const;
const JOB = { apiVersion: 'batch/v1', kind: 'Job', name: 'gpu-provision-acceptance', namespace: 'default' };

/** Of a host whose cluster has Cozystack. */
export async function clusterManifest({ spec }: Site): Promise<Manifest> {
  const hosts = createHostProvider({ secrets: createSecretSource() });
  const clusters = createClusterProvider({ hosts });
  const found = new Map<string, string>();
  try {
    const cluster = await clusters.host(spec);
    for (const kind of KINDS)
      for (const { metadata, ...rest } of await cluster.list(kind))
        found.set(`${kind.kind} ${metadata.namespace ?? ''}/${metadata.name}`, JSON.stringify(rest['spec']));
    for (const nested of spec.cluster.nested) {
      if (!found.has(`Kubernetes tenant-${nested.tenant}/${nested.name}`)) continue;
      const inner = await clusters.nested(spec, kubeconfigOf(nested));
      const job = await inner.get(JOB).catch(() => null);
      if (job !== null) found.set(`Job of ${nested.name}`, JSON.stringify(job['spec']));
    }
    return found;
  } finally {
    await clusters.close();
    await hosts.close();
  }
}

/** Paths that are in only one of them, or differ. */
export function differences(before: Manifest, after: Manifest): readonly string[] {
  return [
    ...[...before.keys()].filter((path) => !after.has(path)).map((path) => `- ${path}`),
    ...[...after]
      .filter(([path, text]) => before.get(path) !== text)
      .map(([path]) => `${before.has(path) ? '~' : '+'} ${path}`),
  ];
}
