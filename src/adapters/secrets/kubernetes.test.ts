import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { kubeconfigFor, createPki, type Pki } from '../../../lab/cluster/api/pki.js';
import { startApiServer, type ApiServer } from '../../../lab/cluster/api/server.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import type { SecretRef } from '../../domain/spec.js';
import { createSecretSource, redactor } from './index.js';

/** The first start builds the program: minutes. */
const START_LIMIT_MS = 30 * 60_000;
const PASSWORD = 'admin:swordfish';

let folder: string;
let pki: Pki;
let api: ApiServer;

/** The next readings use this kubeconfig, as a worker would. */
async function useKubeconfig(text: string): Promise<void> {
  await writeFile(join(folder, 'worker-kubeconfig'), text);
  vi.stubEnv('KUBECONFIG', join(folder, 'worker-kubeconfig'));
}

const read = (ref: SecretRef): Promise<string> => createSecretSource().read(ref);

async function refusal(ref: SecretRef): Promise<string> {
  const error: unknown = await read(ref).then(
    () => new Error('it was read'),
    (e: unknown) => e,
  );
  expect(error).toMatchObject({ name: 'ProvisionError', type: 'SecretUnreadable' });
  return error instanceof Error ? error.message : '';
}

describeWith('a Secret of a real API server', ['go'], 'golang (1.21 or newer)', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gpu-provision-kubernetes-secret-'));
    pki = await createPki(['127.0.0.1']);
    api = await startApiServer(folder, pki);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'bmc.h100-01' },
      stringData: { login: `${PASSWORD}\n` },
    };
    // The namespace comes a moment after the API.
    await vi.waitFor(() => api.client.ask('POST', '/api/v1/namespaces/default/secrets', secret), {
      timeout: 60_000,
      interval: 100,
    });
  }, START_LIMIT_MS);
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  afterEach(() => vi.unstubAllEnvs());

  it('is read with the kubeconfig of the worker, and redacted from then on', async () => {
    await useKubeconfig(kubeconfigFor(pki, `https://127.0.0.1:${api.port}`));
    expect(await read('kubernetes:default/bmc.h100-01/login')).toBe(PASSWORD);
    expect(redactor.text(`login ${PASSWORD}`)).toBe('login [redacted]');
  });

  it.each<[SecretRef, string]>([
    ['kubernetes:default/bmc.h100-01/logins', 'is not there: the Secret has no key logins'],
    ['kubernetes:default/bmc.h100-02/login', 'cannot be read: there is no such Secret'],
    ['kubernetes:other/bmc.h100-01/login', 'cannot be read: there is no such Secret'],
  ])('that is not there fails by its name: %s', async (ref, why) => {
    await useKubeconfig(kubeconfigFor(pki, `https://127.0.0.1:${api.port}`));
    expect(await refusal(ref)).toBe(`the secret ${ref} ${why}`);
  });

  it.each<[string, () => Promise<void>, string]>([
    [
      'credentials that the API does not know',
      async () => {
        const stranger = await createPki(['127.0.0.1']);
        await useKubeconfig(kubeconfigFor({ ...stranger, ca: pki.ca }, `https://127.0.0.1:${api.port}`));
      },
      "the API does not accept the worker's credentials",
    ],
    [
      'an API that is not there',
      () => useKubeconfig(kubeconfigFor(pki, 'https://127.0.0.1:1')),
      'the API at https://127.0.0.1:1 cannot be reached',
    ],
    ['a file that is no kubeconfig', () => useKubeconfig('{{{'), "the worker's kubeconfig is not there or is not one"],
    [
      'no kubeconfig at all',
      async () => {
        vi.stubEnv('KUBECONFIG', '');
        vi.stubEnv('HOME', folder);
      },
      'the worker has no KUBECONFIG, no ~/.kube/config, and is not in a pod',
    ],
  ])('cannot be read with %s', async (_what, prepare, why) => {
    await prepare();
    expect(await refusal('kubernetes:default/bmc.h100-01/login')).toContain(`cannot be read: ${why}`);
  });
});
