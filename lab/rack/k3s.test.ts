import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { parse } from 'yaml';
import { afterEach, describe, expect, it } from 'vitest';
import { suiteWithClusters } from '../../test/support/clusters.js';
import { startRack, type Rack, type SimulatedHost } from './index.js';
import { TestClient } from './testing/client.js';

const RELEASE = 'https://github.com/k3s-io/k3s/releases/download/v1.35.3%2Bk3s1';
const UNIT =
  '[Unit]\nAfter=network-online.target\n[Service]\nType=notify\nExecStart=/usr/local/bin/k3s server\n[Install]\nWantedBy=multi-user.target\n';

suiteWithClusters();
let rack: Rack | null = null;
let ssh: TestClient | null = null;

async function installed(): Promise<{ host: SimulatedHost; ssh: TestClient }> {
  rack = await startRack({
    hosts: [{ name: 'h100-01', nodeIP: '10.0.0.11', bootMilliseconds: 10, shutdownMilliseconds: 10 }],
  });
  const host = rack.host('h100-01');
  ssh = await TestClient.connect(rack, host);
  const done = await ssh.script(
    `set -e; cd /tmp; curl -fsSL -o k3s ${RELEASE}/k3s; curl -fsSL -o sums ${RELEASE}/sha256sum-amd64.txt; grep ' k3s$' sums | sha256sum -c; install -m 755 k3s /usr/local/bin/k3s; printf '%s' "$1" > /etc/systemd/system/k3s.service; systemctl enable --now k3s.service; sync; k3s --version | head -1`,
    UNIT,
  );
  expect(done).toMatchObject({ exitCode: 0, stdout: 'k3s: OK\nk3s version v1.35.3+k3s1 (a1b2c3d4)\n' });
  return { host, ssh };
}

/** One request to the API, through the forwarded port 6443 of the host. */
async function api(
  client: TestClient,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const config = parse((await client.root(['cat', '/etc/rancher/k3s/k3s.yaml'])).stdout) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');
  const socket = await new Promise<Duplex>((resolve, reject) => {
    client.connection.forwardOut('127.0.0.1', 1, '127.0.0.1', 6443, (error, stream) =>
      error === undefined ? resolve(stream) : reject(error),
    );
  });
  return new Promise((resolve, reject) => {
    const tls = connect({
      socket,
      host: '127.0.0.1',
      ca: bytes(config.clusters[0]?.cluster['certificate-authority-data']),
      cert: bytes(config.users[0]?.user['client-certificate-data']),
      key: bytes(config.users[0]?.user['client-key-data']),
    });
    const sent = request(
      { method, path, createConnection: () => tls, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const CONFIG_MAP = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kept', namespace: 'default' },
  data: { a: '1' },
};

afterEach(async () => {
  ssh?.close();
  await rack?.close();
  rack = null;
});

describe('k3s on a host', () => {
  it('starts with its unit, answers through the host, and keeps its objects over a power cut', async () => {
    const { host, ssh: client } = await installed();
    expect((await client.root(['k3s', 'kubectl', 'get', '--raw', '/readyz'])).stdout).toBe('ok');
    expect((await api(client, 'POST', '/api/v1/namespaces/default/configmaps', CONFIG_MAP)).status).toBe(201);
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    if (rack === null) throw new Error('no rack');
    const again = await TestClient.connect(rack, host);
    expect(JSON.parse((await api(again, 'GET', '/api/v1/namespaces/default/configmaps/kept')).text)).toMatchObject({
      data: { a: '1' },
    });
    again.close();
  });

  it('stops with its unit, and forgets everything when its datastore is removed', async () => {
    const { ssh: client } = await installed();
    await api(client, 'POST', '/api/v1/namespaces/default/configmaps', CONFIG_MAP);
    await client.root(['systemctl', 'stop', 'k3s.service']);
    expect((await client.root(['k3s', 'kubectl', 'get', '--raw', '/readyz'])).stderr).toContain('refused');
    await client.root(['systemctl', 'start', 'k3s.service']);
    expect((await api(client, 'GET', '/api/v1/namespaces/default/configmaps/kept')).status).toBe(200);
    await client.script('systemctl stop k3s.service; rm -rf /var/lib/rancher/k3s/server; systemctl start k3s.service');
    expect((await api(client, 'GET', '/api/v1/namespaces/default/configmaps/kept')).status).toBe(404);
  });

  it('does not start with a configuration that is not YAML', async () => {
    const { ssh: client } = await installed();
    await client.script('printf "a: [\\n" > /etc/rancher/k3s/config.yaml; systemctl restart k3s.service');
    expect((await client.run('journalctl -u k3s -o cat --no-pager')).stdout).toContain('failed to load configuration');
  });
});
