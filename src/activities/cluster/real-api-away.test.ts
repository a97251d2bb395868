/**
 * Steps on a real API server, over SSH through a bastion, while the server, the links and the worker go away and come back.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { kubeconfigFor, createPki, type Pki } from '../../../lab/cluster/api/pki.js';
import { OPERATOR_DEFINITIONS } from '../../../lab/cluster/definitions/cozystack.js';
import { K3S_DEFINITIONS } from '../../../lab/cluster/definitions/k3s.js';
import { startApiServer, type ApiServer } from '../../../lab/cluster/api/server.js';
import { performStep } from '../../../test/support/perform-step.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { startSsh2Server, type Ssh2TestServer } from '../../../test/support/ssh2-server.js';
import { createClusterProvider } from '../../adapters/kubernetes/index.js';
import { createSecretSource } from '../../adapters/secrets/index.js';
import { createHostProvider } from '../../adapters/ssh/index.js';
import { HELM_CHART_REF, OPERATOR_REF, PACKAGE_SOURCE_REF } from '../../domain/cluster/cozystack.js';
import { at, textAt, type KubeObject } from '../../domain/cluster/objects.js';
import type { StepResult } from '../../domain/run/steps.js';
import type { ServerSpec } from '../../domain/spec.js';
import type { Cluster } from '../../ports/cluster.js';
import type { ProvisionError } from '../../ports/failure.js';
import { cozystackSteps } from '../cozystack.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { Evidence } from '../evidence.js';
import { RemoteHost } from '../host/remote-host.js';

vi.setConfig({ testTimeout: 180_000 });
/** The first start builds the program: minutes. */
const START_LIMIT_MS = 30 * 60_000;
const POLL = { timeout: 60_000, interval: 50 };
/** Longer than an answer takes on a busy machine, and short enough to be waited for. */
const REQUEST_TIMEOUT_MS = 3_000;
const NESTED_NAME = 'kubernetes-main.tenant-workload.svc';
const NESTED_KUBECONFIG = {
  namespace: 'tenant-workload',
  secret: 'kubernetes-main-admin-kubeconfig',
  key: 'admin.svc',
};
const INSTALL = cozystackSteps['cozystack.install-operator'];
const AWAIT = cozystackSteps['cozystack.await-operator'];

let folder: string;
let pki: Pki;
let api: ApiServer;
let bastion: Ssh2TestServer;
let host: Ssh2TestServer;
let spec: ServerSpec;
/** ClusterIP of the nested API's Service. */
let clusterIP = '';

interface Worker {
  readonly ctx: StepContext;
  cluster(): Promise<Cluster>;
  nested(): Promise<Cluster>;
  close(): Promise<void>;
}

function startWorker(run = 'run-1'): Worker {
  const secrets = createSecretSource();
  const hosts = createHostProvider({ secrets });
  const clusters = createClusterProvider({ hosts, limits: { requestTimeoutMs: REQUEST_TIMEOUT_MS } });
  const closed = new AbortController();
  const { signal } = closed;
  const ref = { id: run, epoch: 1 };
  const evidence = new Evidence(null, signal);
  const heartbeat = (): void => {};
  const warn = (): void => {};
  const remote = new RemoteHost(hosts.get(spec), ref, signal, heartbeat);
  return {
    ctx: { spec, run: ref, host: remote, bmc: null, clusters, secrets, evidence, signal, heartbeat, warn },
    cluster: () => clusters.host(spec),
    nested: () => clusters.nested(spec, NESTED_KUBECONFIG),
    close: async () => {
      closed.abort();
      await clusters.close();
      await hosts.close();
    },
  };
}

/** `failures` gets what its attempts failed with. */
const perform = (step: StepImplementation, ctx: StepContext, failures: ProvisionError[]): Promise<StepResult> =>
  performStep(step, ctx, { onWait: (failure) => failures.push(failure) });

/** The API server's own process, which the lab keeps behind a supervisor. */
async function signalApi(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [program = '', data] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (program.endsWith('/lab-kube-apiserver') && data === folder) return void process.kill(Number(pid), signal);
  }
  throw new Error('there is no process of the API server');
}

/** What is no part of a test's question is tried again: a client that was made while the API was away is replaced. */
const ask = <T>(call: (cluster: Cluster) => Promise<T>): Promise<T> =>
  vi.waitFor(async () => call(await worker.cluster()), POLL);

const chartAsStored = async (): Promise<{ version: string | null; generation: unknown }> => {
  const chart = await ask((cluster) => cluster.get(HELM_CHART_REF));
  return { version: textAt(chart, 'metadata', 'resourceVersion'), generation: at(chart, 'metadata', 'generation') };
};

const removeChart = async (): Promise<void> => {
  await ask((cluster) => cluster.delete(HELM_CHART_REF));
  await expect.poll(() => ask((cluster) => cluster.get(HELM_CHART_REF)), POLL).toBeNull();
};

let worker: Worker;

describeWith('a real API server behind a bastion', ['go'], 'golang (1.21 or newer)', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gpu-provision-api-away-'));
    pki = await createPki(['127.0.0.1', NESTED_NAME]);
    [api, bastion, host] = await Promise.all([
      startApiServer(join(folder, 'api'), pki),
      startSsh2Server({ user: 'jump' }),
      startSsh2Server({
        respond: (channel) => {
          channel.write(kubeconfigFor(pki, `https://127.0.0.1:${api.port}`));
          channel.exit(0);
          channel.end();
        },
        // The nested API is the same server under its other name.
        route: (address, port) => (address === clusterIP && port === 6443 ? api.port : null),
      }),
    ]);
    folder = join(folder, 'api');
    const known = [bastion, host].flatMap(({ port, hostKeys }) => hostKeys.map((key) => `[127.0.0.1]:${port} ${key}`));
    const knownHosts = join(folder, 'known_hosts');
    await writeFile(knownHosts, `${known.join('\n')}\n`);
    const [jump, login] = [bastion, host].map(({ port, user, userKey }) => {
      return { host: '127.0.0.1', port, user, key: `file:${userKey}` as const, knownHosts };
    });
    if (jump === undefined || login === undefined) throw new Error('two servers were started');
    spec = serverSpec({ ssh: { ...login, bastion: jump } });
    worker = startWorker();
    for (const name of ['cozy-system', 'tenant-workload'])
      await ask((cluster) => cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
    for (const { metadata, ...rest } of [...K3S_DEFINITIONS, ...OPERATOR_DEFINITIONS])
      await ask((cluster) => cluster.apply({ ...rest, metadata: { name: metadata.name } }));
  }, START_LIMIT_MS);
  afterEach(async () => {
    await worker.close();
    worker = startWorker();
  });
  afterAll(async () => {
    await worker.close();
    await Promise.all([api.close(), host.close(), bastion.close()]);
    await rm(join(folder, '..'), { recursive: true });
  });

  it('is reached, and the API of a nested cluster by the ClusterIP of its Service', async () => {
    expect(await ask((cluster) => cluster.raw('/readyz'))).toBe('ok');
    expect(host.connections()).toBe(bastion.connections());
    const { namespace, secret, key } = NESTED_KUBECONFIG;
    const service = await ask((cluster) =>
      cluster.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace, name: 'kubernetes-main' },
        spec: { ports: [{ port: 6443 }] },
      }),
    );
    clusterIP = textAt(service, 'spec', 'clusterIP') ?? '';
    expect(clusterIP).toMatch(/^10\.43\./);
    const kubeconfig = kubeconfigFor(pki, `https://${NESTED_NAME}:6443`);
    await ask((cluster) =>
      cluster.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name: secret },
        data: { [key]: Buffer.from(kubeconfig).toString('base64') },
      }),
    );
    const links = bastion.connections();
    const nested = await worker.nested();
    expect((await nested.get({ apiVersion: 'v1', kind: 'Service', namespace, name: 'kubernetes-main' }))?.kind).toBe(
      'Service',
    );
    expect(bastion.connections()).toBe(links);
  });

  it.each(['bastion', 'host'] as const)(
    'fails a request when the link of the %s breaks under it, and the next goes over a new one',
    async (which) => {
      await ask((any) => any.raw('/readyz'));
      const cluster = await worker.cluster();
      const links = bastion.connections();
      await signalApi('SIGSTOP');
      try {
        const asked = cluster.get(HELM_CHART_REF).catch((error: unknown) => error);
        await new Promise(setImmediate);
        const began = Date.now();
        ({ bastion, host })[which].dropLinks();
        const error = await asked;
        expect(Date.now() - began).toBeLessThan(REQUEST_TIMEOUT_MS);
        expect(error).toMatchObject({ type: 'ClusterUnreachable' });
      } finally {
        await signalApi('SIGCONT');
      }
      expect(await ask((next) => next.raw('/readyz'))).toBe('ok');
      expect(bastion.connections()).toBe(links + 1);
    },
  );

  it('takes nothing that is there already by hand', async () => {
    const theirs = { apiVersion: HELM_CHART_REF.apiVersion, kind: HELM_CHART_REF.kind, spec: { chart: 'theirs' } };
    const { namespace, name } = HELM_CHART_REF;
    const path = `/apis/helm.cattle.io/v1/namespaces/${namespace}/helmcharts`;
    const made = await api.client.ask('POST', path, { ...theirs, metadata: { name } });
    await expect(perform(INSTALL, worker.ctx, [])).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringContaining('was not made by gpu-provision'),
    });
    expect(await ask((cluster) => cluster.get(HELM_CHART_REF))).toEqual(made);
    await removeChart();
  });

  it('that answers nothing is given up within the limit, and what was asked is done once', async () => {
    await ask((cluster) => cluster.raw('/readyz'));
    const failures: ProvisionError[] = [];
    await signalApi('SIGSTOP');
    const step = perform(INSTALL, worker.ctx, failures);
    try {
      await expect.poll(() => failures.length, POLL).toBeGreaterThanOrEqual(2);
    } finally {
      await signalApi('SIGCONT');
    }
    expect(await step).toMatchObject({ changed: true });
    for (const { type, message } of failures) {
      expect(type).toBe('ClusterUnreachable');
      expect(message).toMatch(/the API of h100-01 does not answer: .* \(since 20[^)]+Z\)$/s);
    }
    expect(failures.map(({ message }) => message).join('\n')).toContain('no answer within 3 s');
    expect(new Set(failures.map(({ details }) => details['since'])).size).toBe(1);
    const stored = await chartAsStored();
    expect(stored.generation).toBe(1);

    // Another attempt, and another worker, find it done.
    expect(await perform(INSTALL, worker.ctx, [])).toMatchObject({ changed: false });
    await worker.close();
    worker = startWorker();
    expect(await perform(INSTALL, worker.ctx, [])).toMatchObject({ changed: false });
    expect(await chartAsStored()).toEqual(stored);
  });

  it('that answers an apply too late has done it, and no second apply follows', async () => {
    await removeChart();
    // The check has gone well, and the answer to the apply is lost.
    await signalApi('SIGSTOP');
    try {
      await expect(INSTALL.apply(worker.ctx)).rejects.toMatchObject({ type: 'ClusterUnreachable' });
    } finally {
      await signalApi('SIGCONT');
    }
    await perform(INSTALL, worker.ctx, []);
    const stored = await chartAsStored();
    expect(stored.generation).toBe(1);
    expect(await perform(INSTALL, worker.ctx, [])).toMatchObject({ changed: false });
    expect(await chartAsStored()).toEqual(stored);
  });

  it('that is away while a step waits is said to be, since when, and the step passes when it is back', async () => {
    const before = await chartAsStored();
    const failures: ProvisionError[] = [];
    const step = perform(AWAIT, worker.ctx, failures);
    await expect.poll(() => failures.at(-1)?.type, POLL).toBe('NotReadyYet');
    const waited = failures.length;
    const began = Date.now();
    await api.close();
    await expect.poll(() => failures.slice(waited).length, POLL).toBeGreaterThanOrEqual(5);
    api = await startApiServer(folder, pki);
    await makeOperatorReady();
    expect(await step).toMatchObject({ summary: expect.stringContaining('operator available') });

    const outage = failures.filter(({ type }) => type !== 'NotReadyYet');
    expect(outage.length).toBeGreaterThanOrEqual(5);
    expect(new Set(outage.map(({ type }) => type))).toEqual(new Set(['ClusterUnreachable']));
    const [since, ...others] = new Set(outage.map(({ details }) => String(details['since'])));
    expect(others).toEqual([]);
    expect(Math.abs(Date.parse(since ?? '') - began)).toBeLessThan(30_000);
    expect(outage.map(({ message }) => message).join('\n')).toMatch(
      /the API of h100-01 does not answer: h100-01 \(.*\): no connection from there to 127\.0\.0\.1:\d+/,
    );
    expect(await chartAsStored()).toEqual(before);
  });
});

async function makeOperatorReady(): Promise<void> {
  const ready = (type: string): object => ({
    status: {
      conditions: [{ type, status: 'True', reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  });
  const labels = { app: 'operator' };
  const deployment: KubeObject = {
    apiVersion: OPERATOR_REF.apiVersion,
    kind: OPERATOR_REF.kind,
    metadata: { namespace: OPERATOR_REF.namespace, name: OPERATOR_REF.name },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  };
  await ask((cluster) => cluster.apply(deployment));
  const { apiVersion, kind, name } = PACKAGE_SOURCE_REF;
  await ask((cluster) => cluster.apply({ apiVersion, kind, metadata: { name } }));
  const type = 'application/merge-patch+json';
  const paths: readonly (readonly [string, string])[] = [
    [`/apis/apps/v1/namespaces/${OPERATOR_REF.namespace}/deployments/${OPERATOR_REF.name}`, 'Available'],
    [`/apis/${apiVersion}/packagesources/${name}`, 'Ready'],
  ];
  for (const [path, condition] of paths) await api.client.ask('PATCH', `${path}/status`, ready(condition), type);
}
