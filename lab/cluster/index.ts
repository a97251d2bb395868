/**
 * A simulated k3s cluster: a real Kubernetes API over TLS that stores and reads back objects, and controllers that play what runs in it.
 * @module
 */
import { kubeconfigFor, loadOrCreatePki, storePki } from './api/pki.js';
import { startApiServer } from './api/server.js';
import { ObjectStore } from './api/store.js';
import type { ClusterApi, ClusterApiOptions } from './contract.js';

export type { ClusterApi, ClusterApiOptions, ClusterFault, HostDevice, StoredObjects } from './contract.js';

/** Starts the API of a host's k3s; it answers when the promise resolves. */
export async function startClusterApi(options: ClusterApiOptions): Promise<ClusterApi> {
  const names = ['127.0.0.1', options.nodeIP, '10.43.0.1', 'localhost', 'kubernetes.default.svc'];
  const pki = await loadOrCreatePki(options.stored, names);
  const store = new ObjectStore(options.stored);
  registerNode(store, options);
  const server = await startApiServer({ store, pki, version: options.version, podLog: () => null });
  return {
    port: server.port,
    kubeconfig: kubeconfigFor(pki, 'https://127.0.0.1:6443'),
    stored: () => {
      const all = store.dump();
      storePki(all, pki);
      return all;
    },
    portBehind: () => null,
    close: () => server.close(),
  };
}

/** What the kubelet does when it starts. */
function registerNode(store: ObjectStore, options: ClusterApiOptions): void {
  const kind = store.resource('', 'v1', 'nodes');
  if (store.get(kind, null, options.nodeName) !== null) return;
  const node = store.create(
    kind,
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: options.nodeName, labels: { 'node-role.kubernetes.io/control-plane': 'true' } },
    },
    { manager: 'k3s' },
  );
  store.update(
    kind,
    null,
    { ...node, status: { addresses: [{ type: 'InternalIP', address: options.nodeIP }] } },
    { writer: { manager: 'k3s', subresource: 'status' }, subresource: 'status' },
  );
}
