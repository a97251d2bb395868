/**
 * What every suite that starts clusters of the lab calls.
 * @module
 */
import { beforeAll, vi } from 'vitest';
import { kubeApiserver } from '../../lab/tools/kube-apiserver.js';

/** An API server takes 2 s to start on idle cores, and a nested one as long again; other tests run beside. */
const TEST_LIMIT_MS = 240_000;
/** On a machine that has none yet it is built first. */
const BUILD_LIMIT_MS = 45 * 60_000;

export function suiteWithClusters(): void {
  vi.setConfig({ testTimeout: TEST_LIMIT_MS });
  beforeAll(async () => void (await kubeApiserver()), BUILD_LIMIT_MS);
}
