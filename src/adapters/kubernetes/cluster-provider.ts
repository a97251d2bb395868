/**
 * Clusters by server: the kubeconfig is read from the host over SSH, held in memory only, and the API is reached through the same SSH
 * connection, so that nothing of a site but port 22 needs to be reachable.
 * @module
 */
import { KUBECONFIG_PATH } from '../../domain/cluster/k3s-layout.js';
import { textAt } from '../../domain/cluster/objects.js';
import type { ServerSpec } from '../../domain/spec.js';
import type { Cluster, ClusterProvider } from '../../ports/cluster.js';
import { ProvisionError } from '../../ports/failure.js';
import type { HostProvider } from '../../ports/host.js';
import { ApiCluster, CLUSTER_LIMITS, type ClusterLimits } from './api-cluster.js';
import { loadKubeconfig, type Kubeconfig } from './kubeconfig.js';
import { Outage } from './outage.js';

const READ_TIMEOUT_MS = 30_000;

export interface ClusterProviderOptions {
  readonly hosts: HostProvider;
  /** Other than the usual ones; for tests. */
  readonly limits?: Partial<ClusterLimits>;
}

/** A kubeconfig is read once, and its cluster serves all activities of the server until the API cannot be used as it was. */
export function createClusterProvider({ hosts, limits = {} }: ClusterProviderOptions): ClusterProvider {
  const open = new Map<string, Promise<ApiCluster>>();
  const outages = new Map<string, Outage>();

  const reuse = async (key: string, make: () => Promise<ApiCluster>): Promise<Cluster> => {
    let entry = open.get(key);
    if (entry === undefined) {
      entry = make();
      open.set(key, entry);
    }
    try {
      return await entry;
    } catch (error) {
      // Others may have waited for the same one, and may have a new one by now.
      if (open.get(key) === entry) open.delete(key);
      throw error;
    }
  };

  const connect = (
    spec: ServerSpec,
    key: string,
    name: string,
    kubeconfig: Kubeconfig,
    address: string,
  ): ApiCluster => {
    const outage = outages.get(key) ?? new Outage();
    outages.set(key, outage);
    const entry = open.get(key);
    const cluster = new ApiCluster({
      kubeconfig,
      open: () => hosts.get(spec).openStream(address, kubeconfig.port),
      name,
      limits: { ...CLUSTER_LIMITS, ...limits },
      outage,
      onBroken: () => {
        // Each of its requests that fails says so, and only the first finds it in its place.
        if (open.get(key) === entry) open.delete(key);
        cluster.close();
      },
    });
    return cluster;
  };

  const host = (spec: ServerSpec): Promise<Cluster> => {
    const key = keyOf(spec);
    return reuse(key, async () => {
      const kubeconfig = loadKubeconfig(await readKubeconfig(hosts, spec), `${spec.name}:${KUBECONFIG_PATH}`);
      return connect(spec, key, `the API of ${spec.name}`, kubeconfig, kubeconfig.host);
    });
  };

  return {
    host,
    nested: (spec, { namespace, secret, key: field }) => {
      const key = [keyOf(spec), namespace, secret, field].join(' ');
      return reuse(key, async () => {
        const outer = await host(spec);
        const found = await outer.get({ apiVersion: 'v1', kind: 'Secret', namespace, name: secret });
        const source = `Secret ${namespace}/${secret}`;
        const data = textAt(found, 'data', field);
        if (data === null) throw new ProvisionError('NotReadyYet', `${source} has no ${field} yet`);
        const kubeconfig = loadKubeconfig(Buffer.from(data, 'base64').toString('utf8'), source);
        const address = await clusterIP(outer, kubeconfig.host);
        return connect(spec, key, `the nested API ${kubeconfig.host} of ${spec.name}`, kubeconfig, address);
      });
    },
    close: async () => {
      const clusters = await Promise.allSettled(open.values());
      open.clear();
      for (const cluster of clusters) if (cluster.status === 'fulfilled') cluster.value.close();
    },
  };
}

/** By login and not by name: a server whose address changed has another API. */
const keyOf = (spec: ServerSpec): string => JSON.stringify([spec.name, spec.ssh]);

async function readKubeconfig(hosts: HostProvider, spec: ServerSpec): Promise<string> {
  const result = await hosts.get(spec).exec(['cat', KUBECONFIG_PATH], { timeoutMs: READ_TIMEOUT_MS });
  if (result.exitCode !== 0)
    throw new ProvisionError(
      'ClusterUnreachable',
      `${spec.name} has no ${KUBECONFIG_PATH}: k3s is not installed or has never started`,
    );
  return result.stdout;
}

/** `NAME.NAMESPACE.svc` resolves only inside the cluster; the host reaches the Service by its address. */
async function clusterIP(outer: Cluster, host: string): Promise<string> {
  const match = /^([^.]+)\.([^.]+)\.svc(\.|$)/.exec(host);
  if (match === null) return host;
  const [, name = '', namespace = ''] = match;
  const service = await outer.get({ apiVersion: 'v1', kind: 'Service', namespace, name });
  const address = textAt(service, 'spec', 'clusterIP');
  if (address === null || address === '' || address === 'None')
    throw new ProvisionError('NotReadyYet', `Service ${namespace}/${name} has no ClusterIP yet`);
  return address;
}
