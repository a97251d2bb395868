/**
 * What the schema cannot see: one part of the inventory against another.
 * @module
 */
import { gpusWanted } from '../domain/cluster/nested.js';
import { TEMPORARY_NAME } from '../domain/cluster/temporary-cluster.js';
import type { BmcSpec, ServerSpec, SshLogin } from '../domain/spec.js';
import { didYouMean } from './did-you-mean.js';
import { fullPciAddress } from './pci-address.js';
import type { FieldPath } from './problem.js';
import { mergedSsh, NEEDED_FOR_SSH } from './resolve.js';
import type { InventoryFile, ServerEntry } from './schema.js';

export interface Finding {
  readonly path: FieldPath;
  readonly text: string;
}

/** Whether each entry can be resolved at all. */
export function referenceFindings(file: InventoryFile): readonly Finding[] {
  return entries(file).flatMap(([name, entry]) => [
    ...clusterFindings(file, name, entry),
    ...sshFindings(file, name, entry),
  ]);
}

function clusterFindings(file: InventoryFile, name: string, { cluster }: ServerEntry): readonly Finding[] {
  const known = Object.keys(file.clusters);
  if (known.includes(cluster)) return [];
  const text = `found ${cluster}; expected one of clusters: ${known.join(', ')}${didYouMean(cluster, known)}`;
  return [{ path: ['servers', name, 'cluster'], text }];
}

function sshFindings(file: InventoryFile, name: string, entry: ServerEntry): readonly Finding[] {
  const ssh = mergedSsh(file, entry);
  return NEEDED_FOR_SSH.filter((field) => ssh[field] === undefined).map((field) => ({
    path: ['servers', name, 'ssh', field],
    text: `missing; expected it here or in defaults.ssh.${field}`,
  }));
}

/** What must hold for resolved servers. */
export function serverFindings(file: InventoryFile, specs: readonly ServerSpec[]): readonly Finding[] {
  return [
    ...entries(file).flatMap(([name, entry]) => repeatedAddresses(name, entry.gpus.addresses)),
    ...entries(file).flatMap(([name, entry]) => repeatedDisks(name, entry.disks ?? [])),
    ...UNIQUE.flatMap((rule) => repeatedBetweenServers(rule, specs)),
    ...specs.flatMap((spec) => [
      ...directWithoutBmc(file, spec),
      ...deadManTooShort(file, spec),
      ...moreGpusThanThereAre(spec),
      ...tenantOfTemporaryCluster(spec),
    ]),
  ];
}

function repeatedAddresses(name: string, addresses: readonly string[]): readonly Finding[] {
  const full = addresses.map(fullPciAddress);
  return full.flatMap((address, i) => {
    const first = full.indexOf(address);
    if (first === i) return [];
    const text = `found ${address}, which addresses[${first}] has already; expected each GPU once`;
    return [{ path: ['servers', name, 'gpus', 'addresses', i], text }];
  });
}

function repeatedDisks(name: string, disks: readonly string[]): readonly Finding[] {
  return disks.flatMap((disk, i) => {
    const first = disks.indexOf(disk);
    if (first === i) return [];
    const text = `found ${disk}, which disks[${first}] has already; expected each disk once`;
    return [{ path: ['servers', name, 'disks', i], text }];
  });
}

interface UniqueRule {
  readonly field: string;
  readonly of: (spec: ServerSpec) => string | null;
  readonly expected: string;
}

const hostAndPort = ({ host, port }: Pick<SshLogin, 'host' | 'port'>): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const UNIQUE: readonly UniqueRule[] = [
  {
    field: 'address',
    of: ({ ssh: { bastion, ...ssh } }) =>
      bastion === undefined ? hostAndPort(ssh) : `${hostAndPort(ssh)} behind ${hostAndPort(bastion)}`,
    expected: 'an SSH address and port of its own',
  },
  { field: 'serial', of: (spec) => spec.serial.toLowerCase(), expected: 'the serial of this machine' },
  {
    field: 'bmc',
    of: (spec) => bmcAddress(spec.bmc),
    expected: 'a BMC of its own: it would power-cycle the other server',
  },
  {
    field: 'cluster',
    of: (spec) => spec.cluster.name,
    expected: 'a cluster of its own: joining a server to an existing cluster is not built yet',
  },
];

function bmcAddress(bmc: BmcSpec): string | null {
  if (bmc.kind === 'none') return null;
  return bmc.kind === 'redfish' ? bmc.url.toLowerCase() : `${bmc.host.toLowerCase()}:${bmc.port}`;
}

function repeatedBetweenServers(rule: UniqueRule, specs: readonly ServerSpec[]): readonly Finding[] {
  const owners = new Map<string, string>();
  return specs.flatMap((spec) => {
    const value = rule.of(spec);
    if (value === null) return [];
    const owner = owners.get(value);
    if (owner === undefined) {
      owners.set(value, spec.name);
      return [];
    }
    const text = `found ${value}, which servers.${owner} has already; expected ${rule.expected}`;
    return [{ path: ['servers', spec.name, rule.field], text }];
  });
}

function directWithoutBmc(file: InventoryFile, spec: ServerSpec): readonly Finding[] {
  if (spec.boot.strategy !== 'direct' || spec.bmc.kind !== 'none') return [];
  const own = file.servers[spec.name]?.boot?.strategy !== undefined;
  return [
    {
      path: own ? ['servers', spec.name, 'boot', 'strategy'] : ['servers', spec.name, 'bmc'],
      text: 'found boot.strategy direct with bmc none; expected a BMC, since nothing else recovers a host whose new image hangs',
    },
  ];
}

/** The dead-man counts while the trial proves itself, from before sshd answers: it must not reboot a boot that is about to be confirmed. */
function deadManTooShort(file: InventoryFile, { name, boot }: ServerSpec): readonly Finding[] {
  const proof = boot.settleSeconds + boot.verifySeconds;
  // With the direct strategy no boot has the token that starts it.
  if (boot.strategy === 'direct' || boot.deadManSeconds > proof) return [];
  const fields = ['deadMan', 'verify', 'settle'] as const;
  const own = file.servers[name]?.boot;
  const shared = file.defaults?.boot;
  const field = fields.find((key) => own?.[key] !== undefined) ?? fields.find((key) => shared?.[key] !== undefined);
  const path = own?.[field ?? 'deadMan'] === undefined ? ['defaults', 'boot'] : ['servers', name, 'boot'];
  const text = `found a deadMan of ${boot.deadManSeconds} s; expected more than ${proof} s, since settle (${boot.settleSeconds} s) and verify (${boot.verifySeconds} s) may take that long before the boot is confirmed`;
  return [{ path: [...path, field ?? 'deadMan'], text }];
}

function moreGpusThanThereAre({ name, gpus, cluster }: ServerSpec): readonly Finding[] {
  const wanted = gpusWanted(cluster.nested);
  if (wanted <= gpus.addresses.length) return [];
  const sum = cluster.nested.map((nested) => `${nested.name} ${nested.nodes} x ${nested.gpusPerNode}`).join(', ');
  const text = `found ${wanted} GPUs (${sum}); expected at most ${gpus.addresses.length}, which servers.${name}.gpus.addresses has`;
  return [{ path: ['clusters', cluster.name, 'nested'], text }];
}

/** Phase 8 deletes this tenant. */
function tenantOfTemporaryCluster({ cluster }: ServerSpec): readonly Finding[] {
  if (cluster.acceptance !== 'all') return [];
  return cluster.nested
    .filter(({ tenant }) => tenant === TEMPORARY_NAME.tenant)
    .map(({ name, tenant }) => ({
      path: ['clusters', cluster.name, 'nested', name, 'tenant'],
      text: `found ${tenant}, the tenant of the temporary cluster that acceptance: all makes and deletes; expected another one`,
    }));
}

function entries(file: InventoryFile): [string, ServerEntry][] {
  return Object.entries(file.servers);
}
