/**
 * A real kube-apiserver with etcd, the garbage collector and the namespace controller, as a child process.
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kubeconfigFor, type Pki } from './pki.js';
import { startChild, type Child } from '../../tools/child.js';
import { freePort } from '../../tools/free-port.js';
import { kubeApiserver } from '../../tools/kube-apiserver.js';
import { ApiClient } from './client.js';

export interface ApiServer {
  /** On 127.0.0.1, TLS. */
  readonly port: number;
  readonly client: ApiClient;
  close(): Promise<void>;
}

/** Two seconds on idle cores; a test machine has others to wait for. */
const START_LIMIT_MS = 120_000;
const POLL_MS = 50;
/** Between looking for a free port and using it another process may take it. */
const PORT_TRIES = 3;

/** Serves what is stored in the folder, which one server at a time uses. Resolves when it answers /readyz. Throws ToolUnavailable. */
export async function startApiServer(folder: string, pki: Pki): Promise<ApiServer> {
  const program = await kubeApiserver();
  await mkdir(folder, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = startChild([program, folder, ...(await settings(folder, pki, port))]);
    const client = new ApiClient(port, pki);
    try {
      await untilReady(child, client);
    } catch (error) {
      client.close();
      child.kill();
      await child.exited;
      const taken = child.output().includes('address already in use');
      if (!taken || attempt === PORT_TRIES) throw error;
      continue;
    }
    return {
      port,
      client,
      close: async () => {
        client.close();
        // As a power cut does it. Everything that was answered is in etcd's log by then.
        child.kill();
        await child.exited;
      },
    };
  }
}

/** The kubeconfig of its own controllers, then the flags. */
async function settings(folder: string, pki: Pki, port: number): Promise<string[]> {
  const put = async (name: string, content: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const key = await put('server.key', pki.serverKey);
  const certificate = await put('server.crt', pki.serverCert);
  const clientKey = await put('client.key', pki.clientKey);
  const clientCertificate = await put('client.crt', pki.clientCert);
  return [
    await put('kubeconfig', kubeconfigFor(pki, `https://127.0.0.1:${port}`)),
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${folder}`,
    `--tls-cert-file=${certificate}`,
    `--tls-private-key-file=${key}`,
    `--client-ca-file=${await put('ca.crt', pki.ca)}`,
    '--anonymous-auth=false',
    // There is only the administrator; RBAC would first write a hundred roles.
    '--authorization-mode=AlwaysAllow',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${certificate}`,
    `--service-account-signing-key-file=${key}`,
    // Nothing makes service accounts here, and pods would be refused without one.
    // No controller takes the taint away again that the other one gives every new node.
    '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
    // Where the lab's kubelets are, whatever address their node has in the cluster.
    '--kubelet-preferred-address-types=ExternalDNS',
    `--kubelet-client-certificate=${clientCertificate}`,
    `--kubelet-client-key=${clientKey}`,
    '--service-cluster-ip-range=10.43.0.0/16',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
    '--enable-priority-and-fairness=false',
    '--profiling=false',
  ];
}

async function untilReady(child: Child, client: ApiClient): Promise<void> {
  const late = Date.now() + START_LIMIT_MS;
  let ended = false;
  void child.exited.then(() => (ended = true));
  while ((await client.ask('GET', '/readyz').catch(() => null)) !== 'ok') {
    if (ended || Date.now() > late) throw new Error(`kube-apiserver does not answer: ${child.output()}`);
    await delay(POLL_MS);
  }
}
