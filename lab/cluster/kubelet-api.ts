/**
 * What the API server asks a kubelet for: the logs of pods.
 * @module
 */
import { createServer } from 'node:https';
import type { ApiObject } from './api/object.js';
import type { Pki } from './api/pki.js';

/** In a node's status, beside its addresses in the cluster: the API server is told to use addresses of this type. */
export const LOG_ADDRESS = { type: 'ExternalDNS', address: 'localhost' };

export interface KubeletApi {
  readonly port: number;
  readonly keepLog: (pod: ApiObject, log: string) => void;
  close(): Promise<void>;
}

export async function startKubeletApi(pki: Pki): Promise<KubeletApi> {
  const logs = new Map<string, string>();
  const server = createServer(
    { cert: pki.serverCert, key: pki.serverKey, ca: pki.ca, requestCert: true },
    (request, response) => {
      const url = new URL(request.url ?? '/', 'https://kubelet');
      const [, verb, namespace = '', pod = '', container = ''] = url.pathname.split('/');
      const log = verb === 'containerLogs' ? logs.get(`${namespace}/${pod}`) : undefined;
      if (log === undefined) {
        response.writeHead(400).end(`container "${container}" in pod "${pod}" is waiting to start: ContainerCreating`);
        return;
      }
      const lines = log.replace(/\n$/, '').split('\n');
      const tail = Number(url.searchParams.get('tailLines') ?? lines.length);
      response.end(`${lines.slice(Math.max(0, lines.length - tail)).join('\n')}\n`);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, 'localhost', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no TCP port');
  return {
    port: address.port,
    keepLog: ({ metadata }, log) => void logs.set(`${metadata.namespace}/${metadata.name}`, log),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
