/**
 * A site with a secret in every place that has one, on a Temporal of its own: two hosts that repeat what they were told, their BMCs, and the
 * product as processes.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { startBmc, type SimulatedBmc } from '../../lab/rack/bmc/index.js';
import { startIpmiSim, type IpmiSim } from '../../lab/rack/bmc/ipmi-sim.js';
import { startRack, type Rack } from '../../lab/rack/index.js';
import { DATA_DISK } from '../../lab/rack/options.js';
import { startChild, type Child } from '../../lab/tools/child.js';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { connectProvision } from '../../src/client.js';
import { hostQueue, watchQueue, WORKFLOW_QUEUE } from '../../src/domain/run/messages.js';
import { BuiltProduct, type Environment } from '../support/built-product.js';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.js';
import { GPU_ADDRESSES } from '../support/server-spec.js';

const READY_LIMIT_MS = 60_000;
const POLL_MS = 200;
const SITE = 'planted';
const random = (): string => randomBytes(9).toString('hex');

/** What encodings and shells treat differently is in the one that no file format restricts. */
const REDFISH_PASSWORD = `p4$$ "w"/+&?\\${random()}`;
/** At most 16 characters: IPMI. */
const IPMI_PASSWORD = `ipmi-${random().slice(0, 10)}`;
const K3S_TOKEN = `token-${random()}`;
const REGISTRY_PASSWORD = `registry-${random()}`;
const COLLECTOR_TOKEN = `collector-${random()}`;
const OTHER_VARIABLE = `variable-${random()}`;
export const CODEC_KEY = randomBytes(32).toString('base64');
export const CODEC_TOKEN = `codec-${random()}`;
/** Of a command line on the host: nobody told us about it. */
const FOREIGN_PASSWORD = `foreign-${random()}`;

/** No secrets: what payloads hold, and what must be found where it belongs, or nothing would be proven by finding nothing. */
export const REASON = `CHG-${random()}`;
export const SERIAL = `SN${random().toUpperCase()}`;

export class PlantedSite {
  /** By what they are. */
  readonly secrets: Record<string, string> = {
    'Redfish password': REDFISH_PASSWORD,
    'IPMI password': IPMI_PASSWORD,
    'k3s token': K3S_TOKEN,
    'registry password': REGISTRY_PASSWORD,
    'token of the collector': COLLECTOR_TOKEN,
    'another variable': OTHER_VARIABLE,
    'codec key': CODEC_KEY,
    'codec token': CODEC_TOKEN,
    'password of a foreign process': FOREIGN_PASSWORD,
  };

  private constructor(
    readonly product: BuiltProduct,
    readonly temporal: TemporalServer,
    readonly rack: Rack,
    private readonly redfish: SimulatedBmc,
    private readonly ipmi: IpmiSim,
    /** Of every process of the product. */
    readonly collector: OtlpReceiver,
    /** Where everything is written. The secrets themselves are in its folder `keep`. */
    readonly folder: string,
  ) {}

  static async start(): Promise<PlantedSite> {
    const [product, folder] = await Promise.all([
      BuiltProduct.build({ bundles: true }),
      mkdtemp(join(tmpdir(), 'gpu-provision-secrets-')),
    ]);
    const temporal = await startTemporal({
      dbFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
    });
    const rack = await startRack({
      hosts: [
        { name: 'h100-01', nodeIP: '10.0.0.11' },
        { name: 'h100-02', serial: SERIAL, nodeIP: '10.0.0.12' },
      ],
    });
    const model = 'Simulated HGX H100';
    const redfish = await startBmc({
      serial: rack.host('h100-01').serial,
      model,
      // Not the one of the inventory.
      credentials: { user: 'admin', password: random() },
      power: { state: () => 'on', on() {}, off() {}, cycle() {}, gracefulRestart() {} },
      faults: [{ effect: 'repeats-password' }],
    });
    const ipmi = await startIpmiSim({ serial: SERIAL, model, credentials: { user: 'admin', password: IPMI_PASSWORD } });
    const site = new PlantedSite(product, temporal, rack, redfish, ipmi, await startOtlpReceiver(), folder);
    await site.plant();
    return site;
  }

  /** Of every process of the product. */
  get env(): Environment {
    return {
      TEMPORAL_ADDRESS: this.temporal.address,
      GPU_PROVISION_INVENTORY: join(this.folder, 'inventory.yaml'),
      PLANTED_BMC: `admin:${IPMI_PASSWORD}`,
      PLANTED_OTHER: OTHER_VARIABLE,
      OTEL_EXPORTER_OTLP_ENDPOINT: this.collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${COLLECTOR_TOKEN}`,
    };
  }

  /** How command lines of ipmitool for its BMC begin; others on this machine may use it too. */
  get ipmitool(): string {
    return `ipmitool -I lanplus -H 127.0.0.1 -p ${this.ipmi.port} `;
  }

  keep(name: string): string {
    return join(this.folder, 'keep', name);
  }

  /** `gpu-provision WORDS` that goes on until it is stopped. */
  start(words: readonly string[], log: string, more: Environment = {}): Child {
    return startChild([process.execPath, this.product.path('src/cli/main.js'), ...words], {
      env: { ...this.env, ...more },
      logFile: join(this.folder, log),
    });
  }

  /** Resolves when it polls. */
  async startWorker(log: string, more: Environment = {}): Promise<Child> {
    const worker = this.start(['worker', '--audit', join(this.folder, 'audit.jsonl')], log, more);
    const client = await connectProvision({ address: this.temporal.address, env: {} });
    const deadline = Date.now() + READY_LIMIT_MS;
    for (const queue of [WORKFLOW_QUEUE, hostQueue(SITE), watchQueue(SITE)]) {
      while ((await client.workersPolling(queue)) === 0) {
        if (Date.now() > deadline) throw new Error(`the worker polls nothing: ${worker.output()}`);
        await delay(POLL_MS);
      }
    }
    await client.close();
    return worker;
  }

  /** Adds the administrator's key that k3s made, as its kubeconfig on the host has it. */
  addKeyOfK3s(server: string): void {
    const text = this.rack.host(server).readFile('/etc/rancher/k3s/k3s.yaml') ?? '';
    const config = parse(text) as { users: { user: { 'client-key-data': string } }[] };
    const data = config.users[0]?.user['client-key-data'] ?? '';
    const [, line = ''] = Buffer.from(data, 'base64').toString().split('\n');
    if (line === '') throw new Error(`${server} has no kubeconfig with a key`);
    Object.assign(this.secrets, { "kubeconfig's client key": data, "kubeconfig's client key, a line": line });
  }

  async close(): Promise<void> {
    await this.collector.close();
    await this.ipmi.close();
    await this.redfish.close();
    await this.rack.close();
    await this.temporal.stop();
    await this.product.remove();
    await rm(this.folder, { recursive: true });
  }

  private async plant(): Promise<void> {
    const { rack, folder } = this;
    await mkdir(join(folder, 'keep'));
    const put = (name: string, text: string, mode = 0o600): Promise<void> => writeFile(this.keep(name), text, { mode });
    const registries = {
      mirrors: { 'docker.io': { endpoint: ['https://mirror.example:5000'] } },
      configs: { 'mirror.example:5000': { auth: { username: 'puller', password: REGISTRY_PASSWORD } } },
    };
    await Promise.all([
      put('id_ed25519', rack.clientKey),
      put('bmc-h100-01', `admin:${REDFISH_PASSWORD}\n`),
      put('print-token', `#!/bin/sh\necho ${K3S_TOKEN}\n`, 0o700),
      put('registries.yaml', stringify(registries)),
      put('codec-keys', `2026-11: ${CODEC_KEY}\n`),
      put('codec-token', CODEC_TOKEN),
      writeFile(join(folder, 'known_hosts'), `${rack.knownHosts}\n`),
      writeFile(join(folder, 'inventory.yaml'), this.inventory()),
    ]);
    // The last lines hold the key itself; the first is the same for every key.
    const [, ...keyLines] = rack.clientKey.split('\n').filter((line) => /^[A-Za-z0-9+/=]{60,}$/.test(line));
    for (const [i, line] of keyLines.entries()) this.secrets[`SSH key, line ${i + 2}`] = line;
    for (const name of ['k3s token', 'registry password', 'IPMI password']) {
      const secret = this.secrets[name] ?? '';
      this.secrets[`second half of ${name}`] = secret.slice(Math.floor(secret.length / 2));
    }
    const fail = (stderr: string): void => {
      const effect = { kind: 'fail', exitCode: 22, stderr } as const;
      rack.faults.add({ host: 'h100-02', at: 'program', match: /^curl .*--retry/, effect });
    };
    // The host says everything it was ever told, as errors of its own. Only their end is shown, so one of many is cut in two.
    for (const secret of [K3S_TOKEN, REGISTRY_PASSWORD, IPMI_PASSWORD, ...keyLines]) {
      const base64 = Buffer.from(`x:${secret}`).toString('base64');
      const forms = [Buffer.from(secret).toString('hex'), base64, encodeURIComponent(secret)];
      fail([...Array.from({ length: 40 }, () => secret), ...forms].join(' '));
    }
    fail(`ps: ipmitool -I lanplus -H 192.0.2.1 -U root -P ${FOREIGN_PASSWORD} sol activate`);
  }

  private inventory(): string {
    const { redfish, ipmi, rack } = this;
    const cluster = {
      k3s: { version: 'v1.35.3+k3s1', token: `command:./keep/print-token` },
      cozystack: { version: '1.5.4', host: 'planted.example.org', externalIPs: ['192.0.2.11'] },
      nested: { main: { tenant: 'workload', nodes: 1, cpu: 8, memory: '32Gi', disk: '100Gi', gpusPerNode: 2 } },
    };
    const server = (name: string, more: object): object => ({
      role: 'server',
      address: '127.0.0.1',
      serial: rack.host(name).serial,
      ssh: { port: rack.host(name).ssh.port },
      gpus: {
        id: '10de:2330',
        addresses: GPU_ADDRESSES,
        resource: 'nvidia.com/H100_SXM5_80GB',
        nvswitch: 'none',
      },
      disks: [`/dev/disk/by-id/${DATA_DISK.id}`],
      ...more,
    });
    const file = {
      site: SITE,
      mirrors: { registries: './keep/registries.yaml' },
      clusters: { 'planted-a': cluster, 'planted-b': cluster },
      defaults: { ssh: { user: 'ubuntu', key: 'file:./keep/id_ed25519', knownHosts: 'file:./known_hosts' } },
      servers: {
        'h100-01': server('h100-01', {
          cluster: 'planted-a',
          nodeIP: '10.0.0.11',
          bmc: { redfish: redfish.url, tls: redfish.tlsFingerprint, credentials: 'file:./keep/bmc-h100-01' },
        }),
        'h100-02': server('h100-02', {
          cluster: 'planted-b',
          nodeIP: '10.0.0.12',
          bmc: { ipmi: `127.0.0.1:${ipmi.port}`, cipherSuite: ipmi.cipherSuite, credentials: 'env:PLANTED_BMC' },
        }),
      },
    };
    return stringify(file, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
  }
}
