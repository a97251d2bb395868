/**
 * What deploy/kubernetes says, read by a real API server: unknown fields and wrong values are refused, and so are pods that the restricted
 * pod security standard forbids.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createPki } from '../../lab/cluster/api/pki.js';
import { startApiServer } from '../../lab/cluster/api/server.js';
import { suiteWithClusters } from '../support/clusters.js';

suiteWithClusters();

const MANIFEST = fileURLToPath(new URL('../../deploy/kubernetes/worker.yaml', import.meta.url));

interface Manifest {
  readonly apiVersion: string;
  readonly kind: keyof typeof PATHS;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: { readonly template?: { readonly spec: Readonly<Record<string, unknown>> } };
}

const NAMESPACED = 'namespaces/gpu-provision';
const PATHS = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: `/api/v1/${NAMESPACED}/serviceaccounts`,
  PersistentVolumeClaim: `/api/v1/${NAMESPACED}/persistentvolumeclaims`,
  Deployment: `/apis/apps/v1/${NAMESPACED}/deployments`,
  PodDisruptionBudget: `/apis/policy/v1/${NAMESPACED}/poddisruptionbudgets`,
};
const PODS = `/api/v1/${NAMESPACED}/pods?fieldValidation=Strict&dryRun=All`;

it('an API server takes every object, and the pod where the restricted standard is enforced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-manifests-'));
  const api = await startApiServer(folder, await createPki(['127.0.0.1']));
  try {
    const objects = parseAllDocuments(await readFile(MANIFEST, 'utf8')).map((one) => one.toJS() as Manifest);
    expect(objects.map(({ kind }) => kind)).toEqual([
      'Namespace',
      'ServiceAccount',
      'PersistentVolumeClaim',
      'Deployment',
      'PodDisruptionBudget',
    ]);
    for (const object of objects) {
      await api.client.ask('POST', `${PATHS[object.kind]}?fieldValidation=Strict`, object);
    }
    const spec = objects.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec;
    const pod = (more: object): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'worker' },
      spec: { ...spec, ...more },
    });
    await api.client.ask('POST', PODS, pod({}));
    // It would be found out.
    await expect(api.client.ask('POST', PODS, pod({ hostNetwork: true }))).rejects.toThrow(/violates PodSecurity/);
    await expect(api.client.ask('POST', PODS, pod({ restartsPolicy: 'Always' }))).rejects.toThrow(/unknown field/);
  } finally {
    await api.close();
    await rm(folder, { recursive: true });
  }
});
