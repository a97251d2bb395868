import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { afterEach, describe, expect, it } from 'vitest';
import { startClusterApi } from './index.js';
import type { ClusterApi, ClusterApiOptions, StoredObjects } from './contract.js';

const running: ClusterApi[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((api) => api.close()));
});

const OPTIONS: ClusterApiOptions = {
  nodeName: 'h100-01',
  nodeIP: '10.0.0.11',
  version: 'v1.35.3+k3s1',
  devices: () => [],
  stored: new Map(),
};

async function start(stored: StoredObjects = new Map()): Promise<ClusterApi> {
  const api = await startClusterApi({ ...OPTIONS, stored });
  running.push(api);
  return api;
}

interface Kubeconfig {
  clusters: { cluster: Record<string, string> }[];
  users: { user: Record<string, string> }[];
}

const pem = (field: string | undefined): Buffer => Buffer.from(field ?? '', 'base64');

function credentials(api: ClusterApi): { host: string; port: number; ca: Buffer; cert: Buffer; key: Buffer } {
  const config: Kubeconfig = parse(api.kubeconfig);
  const user = config.users[0]?.user;
  return {
    host: '127.0.0.1',
    port: api.port,
    ca: pem(config.clusters[0]?.cluster['certificate-authority-data']),
    cert: pem(user?.['client-certificate-data']),
    key: pem(user?.['client-key-data']),
  };
}

interface Reply {
  code: number;
  body: string;
}

async function call(
  api: ClusterApi,
  method: string,
  path: string,
  body?: unknown,
  type = 'application/json',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        ...credentials(api),
        method,
        path,
        headers: { 'content-type': type, 'user-agent': 'test/1' },
      },
      (res) => {
        text(res).then((out) => resolve({ code: res.statusCode ?? 0, body: out }), reject);
      },
    );
    req.on('error', reject);
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

interface Loose {
  metadata: Record<string, unknown> & { resourceVersion: string; managedFields: { manager: string }[] };
  data?: Record<string, string>;
  [field: string]: unknown;
}
const json = (reply: Reply): Loose => JSON.parse(reply.body);

const configMap = (name: string, data: Record<string, string>): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const MAPS = '/api/v1/namespaces/default/configmaps';
const APPLY = 'application/apply-patch+yaml';

describe('the simulated Kubernetes API', () => {
  it('answers /readyz with its own certificate and has the Node of the host', async () => {
    const api = await start();
    expect(await call(api, 'GET', '/readyz')).toEqual({ code: 200, body: 'ok' });
    const node = json(await call(api, 'GET', '/api/v1/nodes/h100-01'));
    expect(node['status']).toMatchObject({
      addresses: [{ type: 'InternalIP', address: '10.0.0.11' }, { type: 'Hostname' }],
    });
  });

  it('refuses a client without the credentials of the kubeconfig', async () => {
    const api = await start();
    const code = await new Promise((resolve, reject) => {
      request({ port: api.port, host: '127.0.0.1', path: '/readyz', rejectUnauthorized: false }, (res) => {
        res.resume();
        resolve(res.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(code).toBe(401);
  });

  it('rejects an update made from an old version of the object', async () => {
    const api = await start();
    const first = json(await call(api, 'POST', MAPS, configMap('a', { k: '1' })));
    await call(api, 'PUT', `${MAPS}/a`, { ...first, data: { k: '2' } });
    const late = await call(api, 'PUT', `${MAPS}/a`, { ...first, data: { k: '3' } });
    expect(late.code).toBe(409);
    expect(json(await call(api, 'GET', `${MAPS}/a`)).data).toEqual({ k: '2' });
  });

  it('does not let one field manager take a field from another by apply unless forced', async () => {
    const api = await start();
    await call(api, 'PATCH', `${MAPS}/a?fieldManager=one`, configMap('a', { k: '1', l: '1' }), APPLY);
    const refused = await call(api, 'PATCH', `${MAPS}/a?fieldManager=two`, configMap('a', { k: '2' }), APPLY);
    expect(refused).toMatchObject({ code: 409 });
    expect(refused.body).toContain('conflicts with \\"one\\": .data.k');
    await call(api, 'PATCH', `${MAPS}/a?fieldManager=two&force=true`, configMap('a', { k: '2' }), APPLY);
    expect(json(await call(api, 'GET', `${MAPS}/a`)).data).toEqual({ k: '2', l: '1' });
  });

  it('removes by apply what the same manager applied before and no longer names', async () => {
    const api = await start();
    await call(api, 'PATCH', `${MAPS}/a?fieldManager=one`, configMap('a', { k: '1', l: '1' }), APPLY);
    await call(api, 'PATCH', `${MAPS}/a?fieldManager=two`, configMap('a', { m: '1' }), APPLY);
    await call(api, 'PATCH', `${MAPS}/a?fieldManager=one`, configMap('a', { k: '1' }), APPLY);
    expect(json(await call(api, 'GET', `${MAPS}/a`)).data).toEqual({ k: '1', m: '1' });
  });

  it('does not bump the version when a write changes nothing', async () => {
    const api = await start();
    const path = `${MAPS}/a?fieldManager=one`;
    const first = json(await call(api, 'PATCH', path, configMap('a', { k: '1' }), APPLY));
    const again = json(await call(api, 'PATCH', path, configMap('a', { k: '1' }), APPLY));
    expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it('refuses objects in namespaces that do not exist, and unknown kinds', async () => {
    const api = await start();
    expect(await call(api, 'POST', '/api/v1/namespaces/nowhere/configmaps', configMap('a', {}))).toMatchObject({
      code: 404,
    });
    expect(await call(api, 'GET', '/apis/cozystack.io/v1alpha1/packages')).toMatchObject({ code: 404 });
  });

  it('refuses label values that a real API refuses', async () => {
    const api = await start();
    const bad = { ...configMap('a', {}), metadata: { name: 'a', labels: { 'x/y': 'no spaces' } } };
    expect((await call(api, 'POST', MAPS, bad)).code).toBe(422);
  });

  it('serves a kind as soon as its definition is stored', async () => {
    const api = await start();
    await call(api, 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'things.example.org' },
      spec: {
        group: 'example.org',
        scope: 'Cluster',
        names: { kind: 'Thing', plural: 'things' },
        versions: [{ name: 'v1', served: true, storage: true, subresources: { status: {} } }],
      },
    });
    const thing = { apiVersion: 'example.org/v1', kind: 'Thing', metadata: { name: 'a' }, spec: { n: 1 } };
    expect((await call(api, 'POST', '/apis/example.org/v1/things', thing)).code).toBe(201);
    const status = { status: { ok: true } };
    await call(api, 'PATCH', '/apis/example.org/v1/things/a', status, 'application/merge-patch+json');
    expect(json(await call(api, 'GET', '/apis/example.org/v1/things/a'))['status']).toBeUndefined();
    await call(api, 'PATCH', '/apis/example.org/v1/things/a/status', status, 'application/merge-patch+json');
    expect(json(await call(api, 'GET', '/apis/example.org/v1/things/a'))['status']).toEqual({ ok: true });
  });

  it('empties a namespace before it lets it go, and takes no new objects meanwhile', async () => {
    const api = await start();
    const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    await call(api, 'POST', '/api/v1/namespaces', space);
    const held = { ...configMap('held', {}), metadata: { name: 'held', finalizers: ['example.org/hold'] } };
    await call(api, 'POST', '/api/v1/namespaces/shop/configmaps', held);
    await call(api, 'DELETE', '/api/v1/namespaces/shop');
    const late = await call(api, 'POST', '/api/v1/namespaces/shop/configmaps', configMap('late', {}));
    expect(late).toMatchObject({ code: 403 });
    await expect
      .poll(async () => (await call(api, 'GET', '/api/v1/namespaces/shop/configmaps/held')).body)
      .toContain('deletionTimestamp');
    expect(json(await call(api, 'GET', '/api/v1/namespaces/shop'))['status']).toEqual({ phase: 'Terminating' });
    const released = [{ op: 'remove', path: '/metadata/finalizers/0' }];
    await call(api, 'PATCH', '/api/v1/namespaces/shop/configmaps/held', released, 'application/json-patch+json');
    await expect.poll(async () => (await call(api, 'GET', '/api/v1/namespaces/shop')).code).toBe(404);
  });

  it('deletes dependents with their owner, and before it in foreground deletion', async () => {
    const api = await start();
    const owner = json(await call(api, 'POST', MAPS, configMap('owner', {})));
    const owned = {
      ...configMap('owned', {}),
      metadata: {
        name: 'owned',
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata['uid'] }],
      },
    };
    await call(api, 'POST', MAPS, owned);
    await call(api, 'DELETE', `${MAPS}/owner?propagationPolicy=Foreground`);
    expect((await call(api, 'GET', `${MAPS}/owner`)).code).toBe(200);
    await expect.poll(async () => (await call(api, 'GET', `${MAPS}/owner`)).code).toBe(404);
    expect((await call(api, 'GET', `${MAPS}/owned`)).code).toBe(404);
  });

  it('selects by labels and fields', async () => {
    const api = await start();
    for (const [name, tier] of [
      ['a', 'web'],
      ['b', 'db'],
    ] as const)
      await call(api, 'POST', MAPS, { ...configMap(name, {}), metadata: { name, labels: { tier } } });
    const names = async (query: string): Promise<unknown> => {
      const list = json(await call(api, 'GET', `${MAPS}?${query}`));
      return (list['items'] as Loose[]).map((item) => item.metadata['name']);
    };
    expect(await names('labelSelector=tier%3Ddb')).toEqual(['b']);
    expect(await names('labelSelector=tier%20in%20(web,db),tier!%3Ddb')).toEqual(['a']);
    expect(await names('labelSelector=!tier')).toEqual([]);
    expect(await names('fieldSelector=metadata.name%3Da')).toEqual(['a']);
  });

  it('streams changes after a version to a watch', async () => {
    const api = await start();
    const from = json(await call(api, 'GET', MAPS)).metadata.resourceVersion;
    await call(api, 'POST', MAPS, configMap('before', {}));
    const seen: string[] = [];
    const enough = new Promise<void>((resolve) => {
      const req = request({ ...credentials(api), path: `${MAPS}?watch=true&resourceVersion=${from}` }, (res) => {
        res.setEncoding('utf8');
        res.on('data', (chunk: string) => {
          for (const line of chunk.split('\n').filter((part) => part !== '')) {
            const event: { type: string; object: Loose } = JSON.parse(line);
            seen.push(`${event.type} ${String(event.object.metadata['name'])}`);
          }
          if (seen.length >= 3) {
            req.destroy();
            resolve();
          }
        });
      });
      req.on('error', () => resolve());
      req.end();
    });
    await call(api, 'POST', MAPS, configMap('after', {}));
    await call(api, 'DELETE', `${MAPS}/before`);
    await enough;
    expect(seen.toSorted()).toEqual(['ADDED after', 'ADDED before', 'DELETED before']);
  });

  it('keeps objects and credentials over a restart', async () => {
    const first = await start();
    await call(first, 'POST', MAPS, configMap('a', { k: '1' }));
    const second = await start(first.stored());
    expect(second.kubeconfig).toBe(first.kubeconfig);
    expect(json(await call(second, 'GET', `${MAPS}/a`)).data).toEqual({ k: '1' });
  });
});
