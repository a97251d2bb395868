/**
 * `k3s kubectl`: what the API itself answers, and LINSTOR's client in its controller's container.
 * @module
 */
import { request } from 'node:https';
import { parse } from 'yaml';
import { linstorClient } from '../../cluster/controllers/linstor.js';
import { parseArgs, type Call } from '../shell/program.js';

export const API_PORT = 6443;
export const KUBECONFIG = '/etc/rancher/k3s/k3s.yaml';

interface Result {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
}

/** `get --raw PATH`, `exec --namespace NAMESPACE deploy/NAME -- linstor ARGS…`. */
export async function kubectl(call: Call, args: readonly string[]): Promise<Result> {
  const { values } = parseArgs(args, ['--raw', '--kubeconfig']);
  const kubeconfig = values.get('--kubeconfig')?.[0] ?? KUBECONFIG;
  if (args[0] === 'exec') return exec(call, args.slice(1), kubeconfig);
  const path = values.get('--raw')?.[0];
  if (path === undefined) return { exitCode: 1, stderr: 'error: the lab has only get --raw and exec\n' };
  return getRaw(call, path, kubeconfig);
}

async function exec(call: Call, args: readonly string[], kubeconfig: string): Promise<Result> {
  const { machine } = call.kernel;
  const { values, rest } = parseArgs(args, ['-n', '--namespace', '-c', '--container'], true);
  const namespace = values.get('--namespace')?.[0] ?? values.get('-n')?.[0] ?? 'default';
  const [target = '', separator, ...argv] = rest;
  const deployment = /^deploy(?:ment)?\/(.+)$/.exec(target)?.[1];
  if (deployment === undefined || separator !== '--')
    return { exitCode: 1, stderr: `error: the lab cannot exec ${args.join(' ')}\n` };
  const answer = await getRaw(call, `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`, kubeconfig);
  if (answer.exitCode !== undefined) return answer;
  if (!isAvailable(answer.stdout ?? ''))
    return { exitCode: 1, stderr: `error: timed out waiting for the condition: no pod of ${target} is ready\n` };
  if (deployment !== 'linstor-controller' || argv[0] !== 'linstor')
    return { exitCode: 126, stderr: `lab: ${argv[0] ?? ''} is not in the containers of ${target}\n` };
  return linstorClient(
    {
      node: machine.name,
      disks: machine.disks.map(({ name, bytes }) => ({
        path: `/dev/${name}`,
        bytes,
        isEmpty: !machine.signatures.has(name),
      })),
      pools: machine.storagePools,
      taken: (path, signature) => machine.signatures.set(path.slice('/dev/'.length), signature),
    },
    argv.slice(1),
  );
}

function isAvailable(deployment: string): boolean {
  const { status } = JSON.parse(deployment) as { status?: { conditions?: { type: string; status: string }[] } };
  return status?.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True') ?? false;
}

const decode = (value: string | undefined): Buffer | undefined =>
  value === undefined ? undefined : Buffer.from(value, 'base64');

async function getRaw(call: Call, path: string, kubeconfig: string): Promise<Result> {
  const text = call.fs.text(kubeconfig);
  const port = call.kernel.machine.ports.get(API_PORT);
  if (text === null) return { exitCode: 1, stderr: `error: open ${KUBECONFIG}: no such file or directory\n` };
  if (port === undefined)
    return {
      exitCode: 1,
      stderr: 'The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?\n',
    };
  const config = parse(text) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const cluster = config.clusters[0]?.cluster ?? {};
  const user = config.users[0]?.user ?? {};
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        ca: decode(cluster['certificate-authority-data']),
        cert: decode(user['client-certificate-data']),
        key: decode(user['client-key-data']),
        headers: user['token'] === undefined ? {} : { authorization: `Bearer ${user['token']}` },
        signal: call.signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          resolve(
            (response.statusCode ?? 500) < 300
              ? { stdout: body }
              : { exitCode: 1, stderr: `Error from server: ${body}\n` },
          );
        });
      },
    );
    sent.on('error', (error) => resolve({ exitCode: 1, stderr: `${error.message}\n` }));
    sent.end();
  });
}
