/**
 * The nested APIs of one host cluster: started when their control plane asks, stopped when it is gone, kept over restarts of the host.
 * @module
 */
import { kubeconfigFor, loadOrCreatePki, storePki, type Pki } from './api/pki.js';
import { startApiServer, type ApiServer } from './api/server.js';
import { ObjectStore } from './api/store.js';
import type { ClusterFault, StoredObjects } from './contract.js';
import { NESTED_API_PORT, type NestedClusters } from './controllers/cluster-api.js';
import { establishDefinitions } from './controllers/definitions.js';
import { garbageCollector } from './controllers/garbage.js';
import { acceptanceProgram, gpuOperator, nestedNodes, vmsOf } from './controllers/nested.js';
import { deployments, jobs } from './controllers/workloads.js';
import { World } from './world.js';

const PREFIX = '/nested/';
const NESTED_VERSION = 'v1.35.1';
/** Image of the acceptance job; the lab plays what its program prints. */
const PYTORCH_IMAGE = 'docker.io/pytorch/pytorch';

interface Running {
  readonly store: ObjectStore;
  readonly world: World;
  readonly server: ApiServer;
  readonly pki: Pki;
  readonly stop: () => void;
}

export class NestedApis implements NestedClusters {
  private readonly running = new Map<string, Running>();
  private readonly starting = new Map<string, Promise<void>>();
  private readonly kept: Map<string, Map<string, string>>;
  private closed = false;

  constructor(
    stored: StoredObjects,
    private readonly faults: readonly ClusterFault[],
    private readonly host: () => World,
  ) {
    this.kept = split(stored);
  }

  kubeconfig(key: string): string | null {
    const found = this.running.get(key);
    if (found !== undefined) return kubeconfigFor(found.pki, `https://${serviceName(key)}:${NESTED_API_PORT}`);
    if (!this.starting.has(key) && !this.closed) {
      const done = this.start(key).finally(() => this.starting.delete(key));
      this.starting.set(key, done);
    }
    return null;
  }

  world(key: string): World | null {
    return this.running.get(key)?.world ?? null;
  }

  port(key: string): number | null {
    return this.running.get(key)?.server.port ?? null;
  }

  hasNode(key: string, name: string): boolean {
    return (this.world(key)?.get('v1', 'Node', name) ?? null) !== null;
  }

  keepOnly(keys: readonly string[]): void {
    for (const [key, found] of this.running) {
      if (keys.includes(key)) continue;
      this.running.delete(key);
      this.kept.delete(key);
      found.stop();
      // Nobody waits for a control plane that was deleted to close its port.
      void found.server.close();
    }
  }

  storeInto(all: Map<string, string>): void {
    for (const [key, { store, pki }] of this.running) {
      const own = store.dump();
      storePki(own, pki);
      for (const [path, text] of own) all.set(`${PREFIX}${key}${path}`, text);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.starting.values());
    for (const { stop } of this.running.values()) stop();
    await Promise.all([...this.running.values()].map(({ server }) => server.close()));
    this.running.clear();
  }

  private async start(key: string): Promise<void> {
    const stored = this.kept.get(key) ?? new Map<string, string>();
    const service = serviceName(key);
    const pki = await loadOrCreatePki(stored, ['127.0.0.1', service, service.replace(/\.svc$/, '')]);
    const store = new ObjectStore(stored);
    const logs = new Map<string, string>();
    const vms = vmsOf(this.host(), key);
    const world = new World(
      store,
      [
        establishDefinitions,
        nestedNodes(vms),
        gpuOperator(vms),
        deployments,
        jobs({
          programs: new Map([[PYTORCH_IMAGE, acceptanceProgram(vms)]]),
          keepLog: (pod, log) => logs.set(`${pod.metadata.namespace}/${pod.metadata.name}`, log),
          needsReadyNode: true,
        }),
        garbageCollector,
      ],
      this.faults,
    );
    const server = await startApiServer({
      store,
      pki,
      version: NESTED_VERSION,
      podLog: (namespace, name) => logs.get(`${namespace}/${name}`) ?? null,
    });
    // VMs are the nodes here, and nodes make machines ready there.
    const unsubscribe = [this.host().store.onEvent(() => world.wake()), store.onEvent(() => this.host().wake())];
    const stop = (): void => {
      for (const end of unsubscribe) end();
      world.stop();
    };
    this.running.set(key, { store, world, server, pki, stop });
    world.wake();
    this.host().wake();
  }
}

/** `tenant-workload/kubernetes-main` is served as `kubernetes-main.tenant-workload.svc`. */
function serviceName(key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  return `${name}.${namespace}.svc`;
}

/** Keys `/nested/NAMESPACE/NAME/…` by nested cluster, without that prefix. */
function split(stored: StoredObjects): Map<string, Map<string, string>> {
  const clusters = new Map<string, Map<string, string>>();
  for (const [path, text] of stored) {
    if (!path.startsWith(PREFIX)) continue;
    const [namespace = '', name = '', ...rest] = path.slice(PREFIX.length).split('/');
    const key = `${namespace}/${name}`;
    const own = clusters.get(key) ?? new Map<string, string>();
    own.set(`/${rest.join('/')}`, text);
    clusters.set(key, own);
  }
  return clusters;
}
