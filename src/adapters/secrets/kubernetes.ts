/**
 * `kubernetes:NAMESPACE/SECRET/KEY`: a key of a Secret in the cluster that the worker itself belongs to, found as kubectl finds it: KUBECONFIG,
 * `~/.kube/config`, or the account of its pod. It may need no more than `get` of that one Secret.
 * @module
 */
import type { SecretRef } from '../../domain/spec.js';
import { MAX_SECRET_BYTES, TOO_LARGE, unreadable } from './unreadable.js';

const ANSWER_LIMIT_MS = 10_000;

export async function readKubernetesSecret(ref: SecretRef, written: string): Promise<string> {
  const [namespace = '', name = '', key = ''] = written.split('/');
  // Half a second and 60 MB, which only those pay who use it.
  const { ApiException, CoreV1Api, KubeConfig, Observable } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch {
    throw unreadable(
      ref,
      "cannot be read: the worker's kubeconfig is not there or is not one (KUBECONFIG, ~/.kube/config)",
    );
  }
  // What the library makes up where it finds nothing.
  if (config.getCurrentCluster()?.server === 'http://localhost:8080')
    throw unreadable(ref, 'cannot be read: the worker has no KUBECONFIG, no ~/.kube/config, and is not in a pod');
  const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
  try {
    const secret = await config.makeApiClient(CoreV1Api).readNamespacedSecret(
      { namespace, name },
      {
        middlewareMergeStrategy: 'append',
        middleware: [
          {
            pre: (request) => {
              request.setSignal(limit);
              return new Observable(Promise.resolve(request));
            },
            post: (response) => new Observable(Promise.resolve(response)),
          },
        ],
      },
    );
    const data = secret.data?.[key];
    if (data === undefined) throw unreadable(ref, `is not there: the Secret has no key ${key}`);
    const bytes = Buffer.from(data, 'base64');
    if (bytes.length > MAX_SECRET_BYTES) throw unreadable(ref, TOO_LARGE);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof ApiException) {
      throw unreadable(ref, `cannot be read: ${API_ERRORS[error.code] ?? `the API answers ${error.code}`}`);
    }
    if (error instanceof Error && error.name === 'ProvisionError') throw error;
    const why = limit.aborted ? `does not answer within ${ANSWER_LIMIT_MS / 1_000} s` : 'cannot be reached';
    throw unreadable(ref, `cannot be read: the API at ${config.getCurrentCluster()?.server ?? 'nowhere'} ${why}`);
  }
}

const API_ERRORS: Readonly<Record<number, string>> = {
  401: "the API does not accept the worker's credentials",
  403: 'the worker may not get this Secret (RBAC)',
  404: 'there is no such Secret',
};
