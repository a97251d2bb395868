/**
 * Steps on a simulated host, over real SSH.
 * @module
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRack, type Rack, type SimulatedHost, type SimulatedHostOptions } from '../../lab/rack/index.js';
import { Evidence } from '../../src/activities/evidence.js';
import type { Adapters, StepContext } from '../../src/activities/define-step.js';
import { createHostProvider } from '../../src/adapters/ssh/index.js';
import { RemoteHost } from '../../src/activities/host/remote-host.js';
import type { ServerSpec } from '../../src/domain/spec.js';
import { ProvisionError } from '../../src/ports/failure.js';
import { serverSpec } from './server-spec.js';

export interface RackHost {
  readonly rack: Rack;
  readonly host: SimulatedHost;
  readonly spec: ServerSpec;
  readonly adapters: Adapters;
  /** A context as the activities of a run have it. */
  context(runId: string, epoch?: number): StepContext;
  close(): Promise<void>;
}

/** One host that is up. Without a BMC: it must be the SSH side that does it. */
export async function startRackHost(options: Partial<SimulatedHostOptions> = {}): Promise<RackHost> {
  const name = options.name ?? 'h100-01';
  const rack = await startRack({ hosts: [{ ...options, name }] });
  const host = rack.host(name);
  const directory = await mkdtemp(join(tmpdir(), 'gpu-provision-rack-'));
  const knownHosts = join(directory, 'known_hosts');
  await writeFile(knownHosts, `${rack.knownHosts}\n`);
  const provider = createHostProvider({ secrets: { read: () => Promise.resolve(rack.clientKey) } });
  const spec = serverSpec({
    name,
    serial: host.serial,
    bmc: { kind: 'none' },
    ssh: { host: host.ssh.host, port: host.ssh.port, user: host.ssh.user, key: 'file:/rack/client-key', knownHosts },
  });
  const { signal } = new AbortController();
  const heartbeat = (): void => {};
  const warn = (): void => {};
  const noCluster = (): never => {
    throw new ProvisionError('ClusterUnreachable', 'no cluster in this test');
  };
  const adapters: Adapters = {
    artifacts: null,
    redact: (text) => text,
    hosts: provider,
    bmcs: { get: () => null },
    clusters: { host: noCluster, nested: noCluster, close: async () => {} },
    secrets: { read: () => Promise.reject(new Error('no secret in this test')) },
  };
  return {
    rack,
    host,
    spec,
    adapters,
    context: (runId, epoch = 1) => {
      const run = { id: runId, epoch };
      const { clusters, secrets } = adapters;
      return {
        spec,
        run,
        host: new RemoteHost(provider.get(spec), run, signal, heartbeat),
        bmc: null,
        clusters,
        secrets,
        evidence: new Evidence(null, signal),
        signal,
        heartbeat,
        warn,
      };
    },
    close: async () => {
      await provider.close();
      await rack.close();
      await rm(directory, { recursive: true });
    },
  };
}
