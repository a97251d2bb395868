import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { issueClient, kubeconfigFor, createPki, type Pki } from '../../../lab/cluster/api/pki.js';
import { APPLICATION_DEFINITIONS } from '../../../lab/cluster/definitions/apps.js';
import { CLUSTER_API_DEFINITIONS } from '../../../lab/cluster/definitions/cluster-api.js';
import { OPERATOR_DEFINITIONS } from '../../../lab/cluster/definitions/cozystack.js';
import { K3S_DEFINITIONS } from '../../../lab/cluster/definitions/k3s.js';
import { KUBEVIRT_OPERATOR_DEFINITIONS } from '../../../lab/cluster/definitions/kubevirt.js';
import { APPLY_TYPE } from '../../../lab/cluster/api/client.js';
import { startApiServer, type ApiServer } from '../../../lab/cluster/api/server.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { acceptanceJob } from '../../domain/cluster/acceptance.js';
import { operatorChart, platformPackage, ROOT_TENANT_REF, rootTenantPatch } from '../../domain/cluster/cozystack.js';
import {
  KUBEVIRT_PACKAGE_REF,
  KUBEVIRT_REF,
  kubevirtPatch,
  packagePatch,
  wantedDevice,
} from '../../domain/cluster/kubevirt.js';
import {
  GPU_OPERATOR_TIMEOUT,
  gpuOperatorReleaseRef,
  kubernetesApp,
  machineDeploymentRef,
  tenantObject,
} from '../../domain/cluster/nested.js';
import { at, fieldConflicts, listAt, nameOf, type KubeObject } from '../../domain/cluster/objects.js';
import { marked } from '../../domain/cluster/ownership.js';
import { storageClasses } from '../../domain/cluster/storage.js';
import type { Cluster, ClusterProvider, ObjectRef } from '../../ports/cluster.js';
import type { ClusterLimits } from './api-cluster.js';
import { createClusterProvider } from './index.js';

const NESTED = { name: 'main', tenant: 'workload', nodes: 1, cpu: 56, memory: '512Gi', disk: '200Gi', gpusPerNode: 2 };
const SPEC = serverSpec({ cluster: { ...serverSpec().cluster, nested: [NESTED] } });
vi.setConfig({ testTimeout: 120_000 });
/** The first start builds the program: minutes. */
const START_LIMIT_MS = 30 * 60_000;
const POLL = { timeout: 60_000, interval: 100 };
const MERGE_TYPE = 'application/merge-patch+json';

let folder: string;
let pki: Pki;
let api: ApiServer;
let clusters: ClusterProvider;
let cluster: Cluster;

const map = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});
const ref = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });

function provider(credentials: Partial<Pki> = {}, limits: Partial<ClusterLimits> = {}): ClusterProvider {
  const kubeconfig = kubeconfigFor({ ...pki, ...credentials }, 'https://127.0.0.1:6443');
  return createClusterProvider({
    limits,
    hosts: {
      get: () => ({
        exec: async () => ({ exitCode: 0, signal: null, stdout: kubeconfig, stderr: '', truncated: false }),
        execFresh: () => Promise.reject(new Error('not used')),
        openStream: (): Promise<Duplex> =>
          new Promise((resolve, reject) => {
            const socket = connect(api.port, '127.0.0.1', () => resolve(socket));
            socket.once('error', reject);
          }),
      }),
      close: async () => {},
    },
  });
}

/** What another tool does to a ConfigMap: `kubectl edit` updates, a GitOps controller applies. */
const MAPS = '/api/v1/namespaces/default/configmaps';
const update = (manager: string, object: KubeObject): Promise<unknown> =>
  api.client.ask('PUT', `${MAPS}/${object.metadata.name}?fieldManager=${manager}`, object);
const applyAs = (manager: string, object: KubeObject): Promise<unknown> =>
  api.client.ask('PATCH', `${MAPS}/${object.metadata.name}?fieldManager=${manager}`, object, APPLY_TYPE);
const managersOf = (object: KubeObject | null): unknown[] =>
  (listAt(object, 'metadata', 'managedFields') ?? []).map((entry) => at(entry, 'manager'));

/** What the steps patch, as the platform makes it. */
const MADE_BY_THE_PLATFORM: readonly KubeObject[] = [
  { ...headerOf(KUBEVIRT_PACKAGE_REF), spec: { variant: 'default' } },
  { ...headerOf(KUBEVIRT_REF), spec: {} },
  { ...headerOf(ROOT_TENANT_REF), spec: {} },
  { ...headerOf(gpuOperatorReleaseRef(NESTED)), spec: { interval: '5m' } },
  {
    ...headerOf(machineDeploymentRef(NESTED)),
    spec: {
      clusterName: 'kubernetes-main',
      selector: {},
      template: { spec: { clusterName: 'kubernetes-main', bootstrap: {}, infrastructureRef: {} } },
    },
  },
];

describeWith('a real API server', ['go'], 'golang (1.21 or newer)', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gpu-provision-real-api-'));
    pki = await createPki(['127.0.0.1']);
    api = await startApiServer(folder, pki);
    clusters = provider();
    cluster = await clusters.host(SPEC);
  }, START_LIMIT_MS);
  afterAll(async () => {
    await clusters.close();
    await api.close();
    await rm(folder, { recursive: true });
  });

  describe('through the adapter', () => {
    it('applies, reads, patches, lists and deletes', async () => {
      await expect
        .poll(() => cluster.apply(map('a', { k: '1' })).then(nameOf, String), POLL)
        .toBe('ConfigMap default/a');
      expect((await cluster.mergePatch(ref('a'), { data: { l: '2' } }))['data']).toEqual({ k: '1', l: '2' });
      expect(await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' })).toMatchObject([
        { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } },
      ]);
      expect(await cluster.delete(ref('a'))).toBe(true);
      // In the foreground: the garbage collector lets it go.
      await expect.poll(() => cluster.get(ref('a')), POLL).toBeNull();
      expect(await cluster.delete(ref('a'))).toBe(false);
    });

    it('gives and takes objects as the JSON they are, also of kinds that the library has models for', async () => {
      const node = { apiVersion: 'v1', kind: 'Node', name: SPEC.name };
      await cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: SPEC.name } });
      // Read from a Node and written back, as taints are; the library's model demands a Date.
      const taint = { key: 'a', effect: 'NoSchedule', timeAdded: '2026-01-02T03:04:05Z' };
      await cluster.mergePatch(node, { spec: { taints: [taint] } });
      expect(listAt(await cluster.get(node), 'spec', 'taints')).toContainEqual(taint);
      // The library's model has another name for `from`.
      const policy = await cluster.apply({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'a', namespace: 'default' },
        spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
      });
      expect(at(policy, 'spec', 'ingress')).toEqual([{ from: [{ podSelector: {} }] }]);
    });

    it('reads a list that comes in pages to its end', async () => {
      const names = Array.from({ length: 8 }, (_, i) => `page-${i}`);
      const label = { labels: { list: 'paged' } };
      await Promise.all(
        names.map((name) => {
          const object = map(name, {});
          return cluster.apply({ ...object, metadata: { ...object.metadata, ...label } });
        }),
      );
      const paging = provider({}, { pageSize: 3 });
      const found = await (await paging.host(SPEC)).list({ ...ref('any'), labelSelector: 'list=paged' });
      await paging.close();
      expect(found.map(({ metadata: { name } }) => name)).toEqual(names);
    });

    it('says that credentials are over, which no second attempt can mend', async () => {
      const notAfterDate = new Date(Date.now() - 60_000);
      const over = await issueClient(pki, { notBeforeDate: new Date(0), notAfterDate });
      const late = provider(over);
      await expect(late.host(SPEC).then((old) => old.get(ref('a')))).rejects.toMatchObject({
        type: 'ClusterRefused',
        message: expect.stringMatching(/credentials of h100-01:\/etc\/rancher.* was good until 20.*; k3s renews it/),
      });
      await late.close();
    });

    it('reports a field that the kind does not have as a conflict, which no second attempt can mend', async () => {
      const misspelt = { ...map('misspelt', {}), dada: { k: '1' } };
      await expect(cluster.apply(misspelt)).rejects.toMatchObject({
        type: 'ClusterConflict',
        message: expect.stringContaining('.dada: field not declared in schema'),
      });
      await cluster.apply(map('misspelt', {}));
      await expect(cluster.mergePatch(ref('misspelt'), { dada: { k: '1' } })).rejects.toMatchObject({
        type: 'ClusterConflict',
        message: expect.stringContaining('unknown field "dada"'),
      });
    });
  });

  describe('a field of another manager', () => {
    it.each([
      ['updated by hand', update, 'kubectl-edit'],
      ['applied by a controller', applyAs, 'argocd-controller'],
    ])('%s is named with its manager, and nothing is taken', async (_how, write, manager) => {
      const name = `quarrel-${manager}`;
      if (write === update) await cluster.apply(map(name, { k: '1', l: '1' }));
      await write(manager, map(name, { k: 'theirs', l: 'theirs' }));
      const before = await cluster.get(ref(name));
      const refused: unknown = await cluster.apply(map(name, { k: '1', l: '1', more: '1' })).catch((e: unknown) => e);
      expect(refused).toMatchObject({
        type: 'ClusterConflict',
        message: expect.stringContaining('Apply failed with 2'),
      });
      expect(fieldConflicts(String(refused))).toEqual([
        { field: '.data.k', manager },
        { field: '.data.l', manager },
      ]);
      expect(await cluster.get(ref(name))).toEqual(before);
      // Wanted as they have it, it is everybody's; a second apply changes nothing.
      const shared = await cluster.apply(map(name, { k: 'theirs', l: 'theirs' }));
      expect(managersOf(shared)).toEqual(expect.arrayContaining([manager, 'gpu-provision']));
      expect(await cluster.apply(map(name, { k: 'theirs', l: 'theirs' }))).toEqual(shared);
    });

    it('of several managers is named with each of them', async () => {
      await cluster.apply(map('crowd', { k: '1', l: '1' }));
      await api.client.ask('PATCH', `${MAPS}/crowd?fieldManager=kubectl-edit`, { data: { k: 'a' } }, MERGE_TYPE);
      await api.client.ask('PATCH', `${MAPS}/crowd?fieldManager=helm`, { data: { l: 'b' } }, MERGE_TYPE);
      const refused: unknown = await cluster.apply(map('crowd', { k: '1', l: '1' })).catch((e: unknown) => e);
      expect(fieldConflicts(String(refused)).toSorted((a, b) => a.field.localeCompare(b.field))).toEqual([
        { field: '.data.k', manager: 'kubectl-edit' },
        { field: '.data.l', manager: 'helm' },
      ]);
    });

    it('that we do not want is left alone', async () => {
      await applyAs('argocd-controller', map('beside', { theirs: '1' }));
      const made = await cluster.apply(map('beside', { ours: '1' }));
      expect(made['data']).toEqual({ theirs: '1', ours: '1' });
      expect((await cluster.apply(map('beside', {})))['data']).toEqual({ theirs: '1' });
    });
  });

  describe('what the steps send to the platform', () => {
    const devices = [wantedDevice(SPEC.gpus)];

    beforeAll(async () => {
      const definitions = [
        ...K3S_DEFINITIONS,
        ...OPERATOR_DEFINITIONS,
        ...KUBEVIRT_OPERATOR_DEFINITIONS,
        ...CLUSTER_API_DEFINITIONS,
        ...APPLICATION_DEFINITIONS,
      ];
      for (const name of ['tenant-root', 'tenant-workload', 'cozy-kubevirt'])
        await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      for (const { metadata, ...rest } of definitions)
        await cluster.apply({ ...rest, metadata: { name: metadata.name } });
      for (const object of MADE_BY_THE_PLATFORM) await vi.waitFor(() => cluster.apply(object), POLL);
    }, 120_000);

    it.each(
      [
        operatorChart(SPEC),
        platformPackage(SPEC, { 'docker.io': ['https://mirror.example'] }),
        tenantObject(NESTED),
        kubernetesApp(NESTED, SPEC.gpus),
        acceptanceJob(NESTED),
        ...storageClasses(SPEC.cluster.storage),
      ].map((object): [string, KubeObject] => [nameOf(object), object]),
    )('%s has only fields that are published', async (_name, object) => {
      await expect(cluster.apply(marked(object, 'run-1'))).resolves.toMatchObject({ kind: object.kind });
    });

    it.each<[string, ObjectRef, object]>([
      ['domain and services of the root tenant', ROOT_TENANT_REF, rootTenantPatch(SPEC)],
      ['GPUs in the Package', KUBEVIRT_PACKAGE_REF, packagePatch(headerOf(KUBEVIRT_PACKAGE_REF), devices)],
      ['GPUs in KubeVirt', KUBEVIRT_REF, kubevirtPatch(headerOf(KUBEVIRT_REF), devices)],
      ['the number of machines', machineDeploymentRef(NESTED), { spec: { replicas: 1 } }],
      ['time for the driver', gpuOperatorReleaseRef(NESTED), { spec: { timeout: GPU_OPERATOR_TIMEOUT } }],
    ])('%s is patched with only fields that are published', async (_what, target, patch) => {
      expect(await cluster.mergePatch(target, patch)).toMatchObject(patch);
    });
  });
});

function headerOf({ apiVersion, kind, name, namespace }: ObjectRef): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}
