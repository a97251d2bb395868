/**
 * From what people wrote to what a run is started with: defaults applied, durations in seconds, paths absolute, addresses in full.
 * @module
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isSecretRef, splitSecretRef } from '../domain/secret-ref.js';
import type {
  BmcSpec,
  BootSpec,
  ClusterSpec,
  MirrorsSpec,
  NotifySpec,
  SecretRef,
  ServerSpec,
  SshSpec,
} from '../domain/spec.js';
import { durationSeconds } from './duration.js';
import { fullPciAddress } from './pci-address.js';
import { BUILT_IN, type InventoryFile, IPMI_ADDRESS, type ServerEntry } from './schema.js';

type SshEntry = NonNullable<ServerEntry['ssh']>;

/** What must be said somewhere, by the server or by `defaults`. */
export const NEEDED_FOR_SSH = ['user', 'key', 'knownHosts'] as const;

/** `ssh` of one server over that of `defaults`. */
export function mergedSsh(file: InventoryFile, entry: ServerEntry): SshEntry {
  return { ...file.defaults?.ssh, ...entry.ssh };
}

/**
 * Requires what `cross-checks.ts` checks: the cluster exists and ssh is complete.
 * @param directory absolute; paths in the file are relative to it.
 */
export function resolveEntry(file: InventoryFile, name: string, entry: ServerEntry, directory: string): ServerSpec {
  return {
    name,
    site: file.site,
    role: entry.role,
    nodeIP: entry.nodeIP ?? entry.address,
    serial: entry.serial,
    ssh: resolveSsh(mergedSsh(file, entry), entry.address, directory),
    bmc: resolveBmc(entry.bmc, directory),
    gpus: {
      id: entry.gpus.id.toLowerCase(),
      addresses: entry.gpus.addresses.map(fullPciAddress),
      resource: entry.gpus.resource,
      nvswitch: entry.gpus.nvswitch,
    },
    boot: resolveBoot(file.defaults?.boot, entry.boot),
    workloads: entry.workloads ?? file.defaults?.workloads ?? BUILT_IN.workloads,
    cluster: resolveCluster(file, entry.cluster, directory),
    mirrors: resolveMirrors(file.mirrors, directory),
    disks: entry.disks ?? [],
    ...(file.notify === undefined
      ? {}
      : { notify: file.notify.map((receiver) => resolveReceiver(receiver, directory)) }),
  };
}

function resolveReceiver(receiver: NonNullable<InventoryFile['notify']>[number], directory: string): NotifySpec {
  if ('slack' in receiver) return { kind: 'slack', url: absoluteReference(receiver.slack, directory) };
  return {
    kind: 'webhook',
    url: absoluteReference(receiver.webhook, directory),
    secret: absoluteReference(receiver.secret, directory),
  };
}

function resolveSsh(ssh: SshEntry, host: string, directory: string): SshSpec {
  const { user, key, knownHosts, port = BUILT_IN.ssh.port, bastion } = ssh;
  if (user === undefined || key === undefined || knownHosts === undefined) throw new TypeError('ssh is incomplete');
  const login = {
    host,
    port,
    user,
    key: resolveKey(key, directory),
    knownHosts: absolutePath(knownHosts.slice('file:'.length), directory),
  };
  if (bastion === undefined) return login;
  return {
    ...login,
    bastion: {
      host: bastion.host,
      port: bastion.port ?? BUILT_IN.ssh.port,
      user: bastion.user ?? user,
      key: resolveKey(bastion.key ?? key, directory),
      knownHosts: login.knownHosts,
    },
  };
}

const resolveKey = (key: string, directory: string): SecretRef | null =>
  key === 'agent' ? null : absoluteReference(key, directory);

function resolveBmc(bmc: ServerEntry['bmc'], directory: string): BmcSpec {
  if (bmc === 'none') return { kind: 'none' };
  const credentials = absoluteReference(bmc.credentials, directory);
  if ('redfish' in bmc) {
    const tlsFingerprint =
      bmc.tls === undefined ? null : `sha256:${bmc.tls.slice('sha256:'.length).replaceAll(':', '')}`;
    return {
      kind: 'redfish',
      url: new URL(bmc.redfish).origin,
      tlsFingerprint: tlsFingerprint?.toLowerCase() ?? null,
      credentials,
    };
  }
  const [, host = bmc.ipmi, port] = IPMI_ADDRESS.exec(bmc.ipmi) ?? [];
  return {
    kind: 'ipmi',
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? BUILT_IN.ipmi.port : Number(port),
    cipherSuite: bmc.cipherSuite ?? BUILT_IN.ipmi.cipherSuite,
    credentials,
  };
}

function resolveBoot(shared: ServerEntry['boot'], own: ServerEntry['boot']): BootSpec {
  const { strategy, deadMan, settle, verify } = { ...BUILT_IN.boot, ...shared, ...own };
  const approval = { ...BUILT_IN.boot.approval, ...shared?.approval, ...own?.approval };
  const ladder = { ...BUILT_IN.boot.ladder, ...shared?.ladder, ...own?.ladder };
  return {
    strategy,
    deadManSeconds: durationSeconds(deadMan),
    approvalExpiresSeconds: durationSeconds(approval.expires),
    approvalReminderSeconds: durationSeconds(approval.reminder),
    settleSeconds: durationSeconds(settle),
    verifySeconds: durationSeconds(verify),
    ladder: {
      waitSeconds: durationSeconds(ladder.wait),
      lookSeconds: durationSeconds(ladder.look),
      gracefulSeconds: durationSeconds(ladder.graceful),
      powerCycleSeconds: durationSeconds(ladder.powerCycle),
    },
  };
}

function resolveCluster(file: InventoryFile, name: string, directory: string): ClusterSpec {
  const cluster = file.clusters[name];
  if (cluster === undefined) throw new TypeError(`no cluster ${name}`);
  const { version, token } = cluster.k3s;
  return {
    name,
    k3s: { version, token: token === undefined ? null : absoluteReference(token, directory) },
    cozystack: cluster.cozystack,
    storage: { ...BUILT_IN.storage, ...cluster.storage },
    nested: Object.entries(cluster.nested).map(([nestedName, nested]) => ({ name: nestedName, ...nested })),
    acceptance: cluster.acceptance ?? BUILT_IN.acceptance,
  };
}

function resolveMirrors(mirrors: InventoryFile['mirrors'], directory: string): MirrorsSpec {
  return {
    apt: mirrors?.apt ?? null,
    k3s: mirrors?.k3s ?? null,
    charts: mirrors?.charts ?? null,
    registries: mirrors?.registries === undefined ? null : absolutePath(mirrors.registries, directory),
  };
}

function absoluteReference(text: string, directory: string): SecretRef {
  if (!isSecretRef(text)) throw new TypeError('not a reference to a secret');
  const [kind, what] = splitSecretRef(text);
  if (kind === 'file') return `file:${absolutePath(what, directory)}`;
  // A program without a path is looked for in PATH.
  const [program = '', ...args] = what.split(/ +/);
  if (kind !== 'command' || !/^(\.{1,2}|~)\//.test(program)) return text;
  return `command:${[absolutePath(program, directory), ...args].join(' ')}`;
}

function absolutePath(path: string, directory: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(directory, path);
}
