/**
 * A discovered host as its entry below `servers:`. What a person must say or confirm has a comment that begins with `you:`.
 * @module
 */
import type { DiscoveredHost } from '../discover.js';
import { plain } from './plain.js';

export interface EntryOptions {
  readonly name: string;
  readonly address: string;
  /** null where nobody said it. */
  readonly cluster: string | null;
  /** Written out where the inventory's defaults don't say it. */
  readonly ssh: Readonly<Record<string, string | number>>;
}

/** Names that KubeVirt's documentation and NVIDIA's device plugin use, by PCI id. */
const RESOURCES: Readonly<Record<string, string>> = { '10de:2330': 'nvidia.com/H100_SXM5_80GB' };

/** Requires a serial and GPUs. */
export function inventoryEntry(host: DiscoveredHost, { name, address, cluster, ssh }: EntryOptions): string[] {
  const { serial, gpus, bmcAddress, addresses, emptyDisks, otherDisks, nvswitches } = host;
  if (serial === null || gpus === null) throw new TypeError('an entry needs a serial and GPUs');
  const resource = RESOURCES[gpus.id];
  const further = addresses.filter((other) => other !== address);
  const credentials = `env:BMC_${name.toUpperCase().replaceAll('-', '_')}`;
  const login = Object.entries(ssh).map(
    ([key, value]) => `${key}: ${typeof value === 'number' ? value : quoted(value)}`,
  );
  return [
    `  ${name}:`,
    cluster === null ? '    cluster: CLUSTER # you: one of clusters' : `    cluster: ${cluster} # you: confirm`,
    '    role: server',
    `    address: ${address} # SSH`,
    ...(further.length === 0
      ? []
      : [`    # you: nodeIP, if the cluster's network is not that of address; it also has ${further.join(', ')}`]),
    `    serial: ${quoted(serial)}`,
    ...(login.length === 0 ? [] : [`    ssh: { ${login.join(', ')} }`]),
    ...(bmcAddress === null
      ? ['    bmc: none # you: its ipmitool told no BMC; if there is one, see docs/inventory.md']
      : [`    bmc: { ipmi: ${bmcAddress}, credentials: ${credentials} } # you: user:password in ${credentials}`]),
    '    gpus:',
    `      id: '${gpus.id}'`,
    `      addresses: [${gpus.addresses.map((gpu) => `'${gpu.replace(/^0000:/, '')}'`).join(', ')}]`,
    `      resource: ${resource ?? `nvidia.com/GPU_${gpus.id.slice(5).toUpperCase()} # you: what users are to ask for`}`,
    `      nvswitch: none # you: confirm; ${nvswitches} NVSwitches, GPUs in VMs work without NVLink`,
    ...(emptyDisks.length === 0
      ? []
      : ['    disks: # you: confirm; they become storage', ...emptyDisks.map((id) => `      - ${id}`)]),
    ...otherDisks.map((text) => `    # not a disk for storage: ${plain(text)}`),
  ];
}

/** In YAML's single quotes nothing but the quote itself means anything. */
const quoted = (text: string): string => `'${plain(text).replaceAll("'", "''")}'`;
