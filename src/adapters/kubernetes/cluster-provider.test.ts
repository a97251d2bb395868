import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { startClusterApi } from '../../../lab/cluster/index.js';
import type { ClusterApi } from '../../../lab/cluster/contract.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import type { ClusterProvider } from '../../ports/cluster.js';
import type { ExecResult, HostProvider } from '../../ports/host.js';
import { createClusterProvider } from './index.js';

const SPEC = serverSpec();

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function startApi(): Promise<ClusterApi> {
  const api = await startClusterApi({
    nodeName: SPEC.name,
    nodeIP: SPEC.nodeIP,
    version: SPEC.cluster.k3s.version,
    devices: () => [],
    stored: new Map(),
  });
  closing.push(() => api.close());
  return api;
}

/** A host whose only file is the kubeconfig and whose loopback port 6443 is the API; both may be absent. */
function provider(kubeconfig: () => string | null, port: () => number): ClusterProvider {
  const hosts: HostProvider = {
    get: () => ({
      exec: async (argv): Promise<ExecResult> => {
        const text = argv.join(' ') === 'cat /etc/rancher/k3s/k3s.yaml' ? kubeconfig() : null;
        return { exitCode: text === null ? 1 : 0, signal: null, stdout: text ?? '', stderr: '', truncated: false };
      },
      execFresh: () => Promise.reject(new Error('not used')),
      openStream: (host, to): Promise<Duplex> =>
        new Promise((resolve, reject) => {
          if (host !== '127.0.0.1' || to !== 6443) throw new Error(`unexpected address ${host}:${to}`);
          const socket = connect(port(), '127.0.0.1', () => resolve(socket));
          socket.once('error', reject);
        }),
    }),
    close: async () => {},
  };
  const clusters = createClusterProvider({ hosts });
  closing.push(() => clusters.close());
  return clusters;
}

const map = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});
const ref = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });

describe('a cluster reached through its host', () => {
  it('applies, reads, patches, lists and deletes objects through a byte stream', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    expect(await cluster.raw('/readyz')).toBe('ok');
    const made = await cluster.apply(map('a', { k: '1' }));
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect((await cluster.mergePatch(ref('a'), { data: { l: '2' } }))['data']).toEqual({ k: '1', l: '2' });
    expect(await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap' })).toMatchObject([
      { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } },
    ]);
    expect(await cluster.delete(ref('a'))).toBe(true);
    // Foreground deletion: the object is there until nothing depends on it.
    await expect.poll(() => cluster.get(ref('a'))).toBeNull();
    expect(await cluster.delete(ref('a'))).toBe(false);
  });

  it('finds nothing of a kind that the API does not serve, and cannot apply it yet', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    const kind = { apiVersion: 'cozystack.io/v1alpha1', kind: 'Package' };
    expect(await cluster.list(kind)).toEqual([]);
    expect(await cluster.get({ ...kind, name: 'x' })).toBeNull();
    await expect(cluster.apply({ ...kind, metadata: { name: 'x' } })).rejects.toMatchObject({ type: 'NotReadyYet' });
  });

  it('reports a field that another manager owns as a conflict', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    await cluster.apply(map('a', { k: '1' }));
    // The administrator's kubectl edits the same field.
    const other = provider(
      () => api.kubeconfig,
      () => api.port,
    );
    await (await other.host(SPEC)).mergePatch(ref('a'), { data: { k: 'theirs' } });
    await expect(cluster.apply(map('a', { k: '1' }))).rejects.toMatchObject({ type: 'ClusterConflict' });
  });

  it('says that the cluster is unreachable without a kubeconfig, and works once there is one', async () => {
    const api = await startApi();
    let kubeconfig: string | null = null;
    const clusters = provider(
      () => kubeconfig,
      () => api.port,
    );
    await expect(clusters.host(SPEC)).rejects.toMatchObject({ type: 'ClusterUnreachable' });
    kubeconfig = api.kubeconfig;
    expect(await (await clusters.host(SPEC)).raw('/readyz')).toBe('ok');
  });

  it('survives a restart of the API on another port', async () => {
    const first = await startApi();
    let api = first;
    const clusters = provider(
      () => api.kubeconfig,
      () => api.port,
    );
    await (await clusters.host(SPEC)).apply(map('a', { k: '1' }));
    await first.close();
    await expect((await clusters.host(SPEC)).raw('/readyz')).rejects.toMatchObject({ type: 'ClusterUnreachable' });
    api = await startApi();
    expect(await (await clusters.host(SPEC)).raw('/readyz')).toBe('ok');
  });

  it('does not talk to an API whose certificate the kubeconfig does not vouch for', async () => {
    const [real, impostor] = [await startApi(), await startApi()];
    const clusters = provider(
      () => real.kubeconfig,
      () => impostor.port,
    );
    await expect((await clusters.host(SPEC)).raw('/readyz')).rejects.toMatchObject({ type: 'ClusterUnreachable' });
  });
});
