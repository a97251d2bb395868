import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { describeWith } from '../../../test/support/skip-unless.js';
import { isJson, type ApiObject, type ObjectDraft } from './object.js';
import { createPki, type Pki } from './pki.js';
import { DEFINITIONS } from './kinds.js';
import { APPLY_TYPE } from './client.js';
import { startApiServer, type ApiServer } from './server.js';

/** A start takes 3 s on idle cores, and a minute on cores that are not. */
vi.setConfig({ testTimeout: 180_000 });
/** The first start builds the program: minutes. */
const START_LIMIT_MS = 30 * 60_000;
/** The namespace controller waits 5 s, and longer for what finalizers hold. */
const POLL = { timeout: 120_000, interval: 100 };

let folder: string;
let pki: Pki;
let api: ApiServer;
const MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
});
const get = (path: string): Promise<ApiObject> => api.client.ask('GET', path) as Promise<ApiObject>;
/** The code of the refusal, or what was answered. */
const codeOf = (answer: Promise<unknown>): Promise<unknown> => answer.catch((error: { code: number }) => error.code);

describeWith('the API server', ['go'], 'golang (1.21 or newer)', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gpu-provision-real-api-'));
    pki = await createPki(['127.0.0.1']);
    api = await startApiServer(folder, pki);
  }, START_LIMIT_MS);
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });

  describe('with etcd and controllers', () => {
    it('refuses a client without the credentials of the kubeconfig', async () => {
      const code = await new Promise((resolve, reject) => {
        request({ port: api.port, host: '127.0.0.1', path: '/readyz', rejectUnauthorized: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
      expect(code).toBe(401);
    });

    it(
      'empties a namespace before it lets it go, and takes no new objects meanwhile',
      { timeout: 60_000 },
      async () => {
        await api.client.ask('POST', '/api/v1/namespaces', {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'shop' },
        });
        const inside = '/api/v1/namespaces/shop/configmaps';
        await api.client.ask('POST', inside, configMap('held', { finalizers: ['example.org/hold'] }));
        await api.client.ask('DELETE', '/api/v1/namespaces/shop');
        expect(await codeOf(api.client.ask('POST', inside, configMap('late')))).toBe(403);
        await expect.poll(() => get(`${inside}/held`), POLL).toHaveProperty('metadata.deletionTimestamp');
        expect((await get('/api/v1/namespaces/shop'))['status']).toMatchObject({ phase: 'Terminating' });
        const released = [{ op: 'remove', path: '/metadata/finalizers' }];
        await api.client.ask('PATCH', `${inside}/held`, released, 'application/json-patch+json');
        await expect.poll(() => codeOf(get('/api/v1/namespaces/shop')), POLL).toBe(404);
      },
    );

    it('deletes what belongs to an object that is deleted', async () => {
      const owner = (await api.client.ask('POST', MAPS, configMap('owner'))) as ApiObject;
      const { uid } = owner.metadata;
      const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
      await api.client.ask('POST', MAPS, configMap('owned', { ownerReferences }));
      await api.client.ask('DELETE', `${MAPS}/owner?propagationPolicy=Foreground`);
      await expect.poll(() => codeOf(get(`${MAPS}/owned`)), POLL).toBe(404);
      await expect.poll(() => codeOf(get(`${MAPS}/owner`)), POLL).toBe(404);
    });
  });

  describe.each(DEFINITIONS.map((draft): [string, ObjectDraft] => [draft.metadata.name, draft]))(
    '%s',
    (name, draft) => {
      it('is accepted, and refuses fields that it does not have', async () => {
        const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
        await api.client.ask('PATCH', `${path}?fieldManager=test&force=true&fieldValidation=Strict`, draft, APPLY_TYPE);
        const spec = draft['spec'] as {
          group: string;
          scope: string;
          names: { kind: string; plural: string };
          versions: [{ name: string }];
        };
        const conditions = async (): Promise<readonly string[]> => {
          const { status } = await get(path);
          return isJson(status) && Array.isArray(status['conditions'])
            ? status['conditions'].filter(isJson).map((entry) => `${String(entry['type'])} ${String(entry['status'])}`)
            : [];
        };
        await expect.poll(conditions, POLL).toEqual(expect.arrayContaining(['NamesAccepted True', 'Established True']));
        expect(await conditions()).not.toContain('NonStructuralSchema True');
        const apiVersion = `${spec.group}/${spec.versions[0].name}`;
        const where = spec.scope === 'Cluster' ? '' : '/namespaces/default';
        const object = { apiVersion, kind: spec.names.kind, metadata: { name: 'typo' }, spec: { misspelt: true } };
        const target = `/apis/${apiVersion}${where}/${spec.names.plural}/typo?fieldManager=test&fieldValidation=Strict`;
        await expect
          .poll(() => api.client.ask('PATCH', target, object, APPLY_TYPE).then(String, String), POLL)
          .toMatch(/unknown field "spec(\.misspelt)?"|\.spec(\.misspelt)?: field not declared in schema/);
      });
    },
  );

  it('keeps objects over a restart', async () => {
    await api.client.ask('POST', MAPS, configMap('kept'));
    await api.close();
    api = await startApiServer(folder, pki);
    expect((await get(`${MAPS}/kept`)).metadata.name).toBe('kept');
  });
});
