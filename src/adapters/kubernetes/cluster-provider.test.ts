import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { startClusterApi } from '../../../lab/cluster/index.js';
import type { ClusterApi } from '../../../lab/cluster/contract.js';
import { suiteWithClusters } from '../../../test/support/clusters.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { listAt, nameOf, textAt } from '../../domain/cluster/objects.js';
import type { ClusterProvider } from '../../ports/cluster.js';
import type { ExecResult, HostProvider } from '../../ports/host.js';
import { ProvisionError } from '../../ports/failure.js';
import { createClusterProvider } from './index.js';

const SPEC = serverSpec();

suiteWithClusters();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function startApi(): Promise<ClusterApi> {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-provider-'));
  closing.push(() => rm(folder, { recursive: true }));
  const api = await startClusterApi({
    nodeName: SPEC.name,
    nodeIP: SPEC.nodeIP,
    version: SPEC.cluster.k3s.version,
    devices: () => [],
    folder,
  });
  closing.push(() => api.close());
  return api;
}

/** A host whose only file is the kubeconfig and whose loopback port 6443 is the API; both may be absent. */
function provider(kubeconfig: () => string | null, port: () => number, streams: Duplex[] = []): ClusterProvider {
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
          const socket = connect(port(), '127.0.0.1', () => {
            streams.push(socket);
            resolve(socket);
          });
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
const definition = (plural: string, kind: string) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.lab.example` },
  spec: {
    group: 'lab.example',
    names: { plural, kind },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
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
    expect(await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' })).toMatchObject([
      { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } },
    ]);
    expect(await cluster.delete(ref('a'))).toBe(true);
    // Foreground deletion: the object is there until nothing depends on it.
    await expect.poll(() => cluster.get(ref('a'))).toBeNull();
    expect(await cluster.delete(ref('a'))).toBe(false);
  });

  it('keeps its stream for the next request, and closes it in the end', async () => {
    const api = await startApi();
    const streams: Duplex[] = [];
    const clusters = provider(
      () => api.kubeconfig,
      () => api.port,
      streams,
    );
    const cluster = await clusters.host(SPEC);
    await cluster.raw('/readyz');
    await expect(cluster.raw('/nothing')).rejects.toMatchObject({ type: 'NotReadyYet' });
    await cluster.apply(map('a', { k: '1' }));
    expect(streams.map((stream) => stream.destroyed)).toEqual([false]);
    await clusters.close();
    await expect.poll(() => streams.map((stream) => stream.destroyed)).toEqual([true]);
  });

  it('says that the cluster is unreachable when the stream breaks, and closes it', async () => {
    const api = await startApi();
    const breaking = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => breaking.close(() => resolve())));
    const address = breaking.address();
    const streams: Duplex[] = [];
    const cluster = await provider(
      () => api.kubeconfig,
      () => (typeof address === 'object' && address !== null ? address.port : 0),
      streams,
    ).host(SPEC);
    await expect(cluster.raw('/readyz')).rejects.toMatchObject({ type: 'ClusterUnreachable' });
    await expect.poll(() => streams.map((stream) => stream.destroyed)).toEqual([true]);
  });

  it('passes on why the host gives no stream', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => {
        throw new ProvisionError('LinkLost', 'the connection broke');
      },
    ).host(SPEC);
    await expect(cluster.raw('/readyz')).rejects.toMatchObject({ type: 'LinkLost', message: 'the connection broke' });
  });

  it('gives and takes objects as the JSON they are, also of kinds that the library has models for', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    const node = { apiVersion: 'v1', kind: 'Node', name: SPEC.name };
    // Read from a Node and written back, as taints are; the library's model demands a Date.
    const taint = { key: 'a', effect: 'NoSchedule', timeAdded: '2026-01-02T03:04:05Z' };
    const stored = await cluster.mergePatch(node, { spec: { taints: [taint] } });
    const read = await cluster.get(node);
    for (const object of [stored, read]) {
      expect(listAt(object, 'spec', 'taints')).toContainEqual(taint);
      expect(textAt(object, 'metadata', 'creationTimestamp')).toMatch(/^20\d\d-/);
    }
  });

  it('applies objects of a kind as soon as it is defined', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    const crate = { apiVersion: 'lab.example/v1', kind: 'Crate', metadata: { name: 'a', namespace: 'default' } };
    await expect(cluster.apply(crate)).rejects.toMatchObject({ type: 'NotReadyYet' });
    await cluster.apply(definition('boxes', 'Box'));
    const box = { ...crate, kind: 'Box' };
    await expect.poll(() => cluster.list(box)).toEqual([]);
    await expect.poll(() => cluster.apply(box).then((made) => made.kind, String)).toBe('Box');
    // Its group is known now, and it is not in it.
    await expect(cluster.apply(crate)).rejects.toMatchObject({ type: 'NotReadyYet' });
    expect(await cluster.get({ ...crate, name: 'a', namespace: 'default' })).toBeNull();
    await cluster.apply(definition('crates', 'Crate'));
    await expect.poll(() => cluster.apply(crate).then((made) => made.kind, String)).toBe('Crate');
  });

  it('asks for the namespace of a namespaced object rather than take one', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    await expect(cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', name: 'a' })).rejects.toThrow(
      'ConfigMap a needs a namespace',
    );
  });

  it('reads logs of pods, and says which is not there yet', async () => {
    const api = await startApi();
    const cluster = await provider(
      () => api.kubeconfig,
      () => api.port,
    ).host(SPEC);
    const chart = { apiVersion: 'helm.cattle.io/v1', kind: 'HelmChart' };
    // A chart that does not exist: the log of its Job says so.
    const spec = { chart: 'oci://nowhere/chart', version: '1', targetNamespace: 'default', bootstrap: true };
    await expect
      .poll(() =>
        cluster.apply({ ...chart, metadata: { name: 'a', namespace: 'kube-system' }, spec }).then(nameOf, String),
      )
      .toBe('HelmChart kube-system/a');
    const pods = () => cluster.list({ apiVersion: 'v1', kind: 'Pod', labelSelector: 'job-name=helm-install-a' });
    const log = async () => {
      const [pod] = await pods();
      return pod === undefined ? '' : cluster.podLog('kube-system', pod.metadata.name, 1).catch(String);
    };
    await expect.poll(log).toContain('not found');
    await expect(cluster.podLog('kube-system', 'nobody', 1)).rejects.toMatchObject({ type: 'NotReadyYet' });
  });

  it.each([
    ['exec', 'exec: { command: touch, args: [/tmp/owned] }'],
    ['token-file', 'token-file: /etc/passwd'],
    ['client-key', 'client-key: /etc/ssl/private/key.pem'],
  ])('does nothing that a kubeconfig of another machine asks for with %s', async (key, line) => {
    const api = await startApi();
    const kubeconfig = api.kubeconfig.replace(/^ {4}client-key-data: .*$/m, `    ${line}`);
    expect(kubeconfig).not.toBe(api.kubeconfig);
    const clusters = provider(
      () => kubeconfig,
      () => api.port,
    );
    await expect(clusters.host(SPEC)).rejects.toMatchObject({
      type: 'ClusterUnreachable',
      message: expect.stringContaining(`${key} cannot be used`),
    });
  });

  it.each([
    ['insecure-skip-tls-verify', 'insecure-skip-tls-verify: true'],
    ['proxy-url', 'proxy-url: http://127.0.0.1:1'],
  ])('does not go around the certificate or the host with %s', async (key, line) => {
    const api = await startApi();
    const kubeconfig = api.kubeconfig.replace('    server:', `    ${line}\n    server:`);
    const clusters = provider(
      () => kubeconfig,
      () => api.port,
    );
    await expect(clusters.host(SPEC)).rejects.toMatchObject({
      type: 'ClusterUnreachable',
      message: expect.stringContaining(`${key} cannot be used`),
    });
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
