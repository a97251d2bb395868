/**
 * Downloads, and k3s: its binary and its service.
 * @module
 */
import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { forever } from '../machine/clock.js';
import { fail, parseArgs, type Call, type Program, type Programs } from '../shell/program.js';
import { API_PORT, kubectl, KUBECONFIG } from './kubectl.js';

const K3S_VERSION = 'v1.35.3+k3s1';
const ETCD = '/var/lib/rancher/k3s/server/db/etcd/member/wal/0.wal';

/** The binary names its program and version; the filler gives it a size worth a progress bar. */
const K3S_BINARY = Buffer.from(`\x7fELF lab:k3s ${K3S_VERSION}\n${'k3s '.repeat(4096)}`);
const RELEASE = `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(K3S_VERSION)}`;

/** What curl finds, by URL. */
export const DOWNLOADS: ReadonlyMap<string, Uint8Array> = new Map<string, Uint8Array>([
  [`${RELEASE}/k3s`, K3S_BINARY],
  [
    `${RELEASE}/sha256sum-amd64.txt`,
    Buffer.from(
      `${createHash('sha256').update(K3S_BINARY).digest('hex')}  k3s\n${'0'.repeat(64)}  k3s-airgap-images-amd64.tar.zst\n`,
    ),
  ],
]);

/** Hosts that answer, if only to say that one must log in. */
const LISTENING =
  /^https?:\/\/(archive\.ubuntu\.com|ghcr\.io|registry-1\.docker\.io|quay\.io|registry\.k8s\.io|gcr\.io|nvcr\.io)\//;

/** `--write-out '%{http_code}'`: the status alone. */
function statusOf(call: Call, url: string): { stdout: string; exitCode: number } {
  const { downloads = {}, unreachable = [] } = call.kernel.machine.options;
  if (unreachable.some((start) => url.startsWith(start))) return { stdout: '000', exitCode: 6 };
  if (url in downloads || DOWNLOADS.has(url)) return { stdout: '200', exitCode: 0 };
  if (LISTENING.test(url)) return { stdout: '401', exitCode: 0 };
  return url.startsWith('https://github.com/') ? { stdout: '404', exitCode: 0 } : { stdout: '000', exitCode: 6 };
}

const curl: Program = async (call) => {
  const { flags, values, rest } = parseArgs(call.args, [
    '-o',
    '--output',
    '--retry',
    '--connect-timeout',
    '--max-time',
    '-m',
    '-H',
    '--header',
    '-w',
    '--write-out',
    '--retry-delay',
    '-X',
    '--cacert',
    '--proto',
  ]);
  const [url = ''] = rest;
  if (values.get('--write-out')?.[0] === '%{http_code}') return statusOf(call, url);
  const extra = call.kernel.machine.options.downloads?.[url];
  const found = extra === undefined ? DOWNLOADS.get(url) : typeof extra === 'string' ? Buffer.from(extra) : extra;
  const name =
    values.get('-o')?.[0] ?? values.get('--output')?.[0] ?? (flags.has('-O') ? url.split('/').at(-1) : undefined);
  if (found === undefined) {
    const host = /^https?:\/\/([^/:]+)/.exec(url)?.[1] ?? url;
    if (host !== 'github.com') return fail(6, `curl: (6) Could not resolve host: ${host}`);
    if (flags.has('-f') || flags.has('--fail')) return fail(22, 'curl: (22) The requested URL returned error: 404');
    return 'Not Found';
  }
  if (name === undefined) return { stdout: new Uint8Array(found) };
  try {
    await call.fs.writeFile(call.path(name), new Uint8Array(found));
  } catch {
    return fail(23, `curl: (23) Failure writing output to destination`);
  }
  return '';
};

/** The version that the installed binary carries. */
function installedVersion(call: Call): string {
  return /^\x7fELF lab:k3s (\S+)/.exec(call.fs.text('/usr/local/bin/k3s') ?? '')?.[1] ?? K3S_VERSION;
}

const k3s: Program = async (call) => {
  const [verb, ...args] = call.args;
  switch (verb) {
    case '--version':
    case '-v':
      return `k3s version ${installedVersion(call)} (a1b2c3d4)\ngo version go1.24.2\n`;
    case 'server':
      return server(call);
    case 'kubectl':
      return kubectl(call, args);
    default:
      return fail(1, `No help topic for '${verb ?? ''}'`);
  }
};

async function server(call: Call): Promise<{ exitCode: number; stderr: string }> {
  const { kernel, fs } = call;
  const { machine } = kernel;
  let config: Record<string, unknown>;
  try {
    const parsed: unknown = parse(fs.text('/etc/rancher/k3s/config.yaml') ?? '{}');
    config = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch (error) {
    return {
      exitCode: 1,
      stderr: `level=fatal msg="failed to load configuration: ${error instanceof Error ? error.message : String(error)}"\n`,
    };
  }
  const setting = (name: string): string | undefined => {
    const value = config[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const ended = AbortSignal.any([call.signal, kernel.life.signal]);
  return machine.clusterFolder.whileUsed(async (folder) => {
    ended.throwIfAborted();
    // What etcd kept is gone with its directory, as after an uninstallation.
    if (fs.entry(ETCD) === undefined) {
      await machine.clusterFolder.clear();
      machine.storagePools.clear();
    }
    fs.put(ETCD, 'etcd\n', { mode: 0o600, uid: 0, gid: 0 });
    const { disk, path } = fs.locate(ETCD);
    disk?.fsync(path);
    // Loaded when a k3s service starts, so that racks without a cluster don't wait for it.
    const { startClusterApi } = await import('../../cluster/index.js');
    const api = await startClusterApi({
      nodeName: setting('node-name') ?? machine.name,
      nodeIP: setting('node-ip') ?? machine.options.nodeIP ?? '127.0.0.1',
      version: installedVersion(call),
      devices: () =>
        [...kernel.bus.states.values()].map(({ device, driver }) => ({
          address: device.address,
          id: device.id,
          driver,
          iommuGroup: kernel.iommu ? device.iommuGroup : null,
        })),
      folder,
      faults: machine.options.clusterFaults ?? [],
    });
    try {
      ended.throwIfAborted();
      const mode = Number.parseInt(setting('write-kubeconfig-mode') ?? '600', 8);
      fs.put(KUBECONFIG, api.kubeconfig, { mode, uid: 0, gid: 0 });
      fs.put('/var/lib/rancher/k3s/server/node-token', 'K10lab::server:lab\n', { mode: 0o600 });
      machine.ports.set(API_PORT, api.port);
      machine.clusterPort = (address, port) => api.portBehind(address, port);
      call.process.markReady();
      return await forever(ended);
    } finally {
      if (machine.ports.get(API_PORT) === api.port) {
        machine.ports.delete(API_PORT);
        machine.clusterPort = () => null;
      }
      await api.close();
    }
  });
}

export const NETWORK_PROGRAMS: Programs = { curl, 'lab:k3s': k3s };
