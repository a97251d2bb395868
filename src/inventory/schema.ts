/**
 * The inventory as people write it. `resolve.ts` makes ServerSpecs of it; the JSON schema and the reference are made from it.
 * @module
 */
import * as z from 'zod';
import { SECRET_REF_PATTERN, SECRET_REF_TEXT } from '../domain/secret-ref.js';
import {
  count,
  duration,
  EXPECTED_SECRET,
  ipAddress,
  label,
  list,
  map,
  named,
  oneOf,
  PORT,
  port,
  secret,
  size,
  text,
  url,
} from './fields.js';
import { expectedPciAddress, PCI_ADDRESS } from './pci-address.js';

/** What applies where neither the server nor `defaults` says anything. */
export const BUILT_IN = {
  ssh: { port: 22 },
  boot: {
    strategy: 'known-good',
    // Long enough for k3s and a person's look at the console, short enough that nobody drives to the site.
    deadMan: '30m',
    // udev, k3s and device plugins have settled by then; a binding that moves does so in the first minute.
    settle: '2m',
    // etcd and the API of one node after a boot take under a minute; ten times that, and each reading of eight GPUs under a minute.
    verify: '15m',
    approval: { expires: '24h', reminder: '1h' },
    // Boards with eight GPUs and 2 TB of memory take 11 to 16 min to boot: twice that, then three bounded steps.
    ladder: { wait: '35m', look: '20m', graceful: '10m', powerCycle: '20m' },
  },
  workloads: 'refuse',
  storage: { pool: 'data', backend: 'zfs' },
  acceptance: 'nested',
  ipmi: { port: 623, cipherSuite: 17 },
} as const;

const LOGIN_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;
const EXPECTED_LOGIN_NAME = 'a login name, e.g. ubuntu';
const KEY = new RegExp(`^agent$|${SECRET_REF_PATTERN.source}`);
const expectedKey = (written: unknown): string =>
  /PRIVATE KEY/.test(String(written))
    ? EXPECTED_SECRET
    : `agent, or a reference to a private key without passphrase: ${SECRET_REF_TEXT}`;
const EXPECTED_PORT = 'a TCP port, 1 to 65535';

const bastion = map(
  {
    host: text(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?$/, {
      expected: 'a host name or an IP address, e.g. bastion.example.org',
      description: 'Name or address of the bastion, as the worker reaches it and as known_hosts has it.',
    }),
    port: port({
      expected: EXPECTED_PORT,
      description: 'TCP port of its sshd.',
      default: BUILT_IN.ssh.port,
    }).exactOptional(),
    user: text(LOGIN_NAME, {
      expected: EXPECTED_LOGIN_NAME,
      description:
        'Login name there; needs no shell, only leave to connect to the server (AllowTcpForwarding). Left out, it is user.',
    }).exactOptional(),
    key: text(KEY, {
      expected: expectedKey,
      description: `Private key for it: ${SECRET_REF_TEXT}; or agent. Left out, it is key.`,
    }).exactOptional(),
  },
  'A host to go through where the worker does not reach the server itself, as ProxyJump of OpenSSH. The known_hosts file has its key too. BMCs are not reached through it.',
);

const ssh = map(
  {
    user: text(LOGIN_NAME, {
      expected: EXPECTED_LOGIN_NAME,
      description: 'Login name: root, or one that may use sudo without a password. Needed, here or in defaults.',
    }).exactOptional(),
    key: text(KEY, {
      expected: expectedKey,
      description: `Private key without passphrase: ${SECRET_REF_TEXT}; or agent for the one at SSH_AUTH_SOCK of the worker. Needed, here or in defaults.`,
    }).exactOptional(),
    knownHosts: text(/^file:.+$/, {
      expected: 'file:PATH of a known_hosts file',
      description:
        'known_hosts file with the host key of every server and bastion, file:PATH. A host with another key stops the run. Needed, here or in defaults.',
    }).exactOptional(),
    port: port({
      expected: EXPECTED_PORT,
      description: 'TCP port of sshd.',
      default: BUILT_IN.ssh.port,
    }).exactOptional(),
    bastion: bastion.exactOptional(),
  },
  'How a server is reached.',
);

const boot = map(
  {
    strategy: oneOf(['known-good', 'direct'], {
      expected: 'known-good or direct',
      description:
        'known-good: the new image is entered once, the default stays the entry that already booted. direct: the new image becomes the default at once; only for hosts whose GRUB cannot write its environment, and only with a BMC.',
      default: BUILT_IN.boot.strategy,
    }).exactOptional(),
    deadMan: duration(
      'A trial boot that nobody confirmed for this long reboots by itself, into the known-good entry.',
      BUILT_IN.boot.deadMan,
    ).exactOptional(),
    settle: duration('Time between the two readings of the GPU bindings.', BUILT_IN.boot.settle).exactOptional(),
    verify: duration(
      'How long a trial boot may take to prove itself, settling not counted: bindings read twice, k3s back. Then it is undone. deadMan must be longer than settle and verify together.',
      BUILT_IN.boot.verify,
    ).exactOptional(),
    approval: map(
      {
        expires: duration(
          'An approval that is not given for this long counts as refused.',
          BUILT_IN.boot.approval.expires,
        ).exactOptional(),
        reminder: duration('Time between reminders.', BUILT_IN.boot.approval.reminder).exactOptional(),
      },
      'The question that is asked before the reboot.',
    ).exactOptional(),
    ladder: map(
      {
        wait: duration(
          'From the reboot to the alarm: the longest normal boot with a margin.',
          BUILT_IN.boot.ladder.wait,
        ).exactOptional(),
        look: duration(
          'Then, while the BMC is asked what it sees: power, console, event log.',
          BUILT_IN.boot.ladder.look,
        ).exactOptional(),
        graceful: duration(
          'Then, after a restart asked for through the BMC.',
          BUILT_IN.boot.ladder.graceful,
        ).exactOptional(),
        powerCycle: duration(
          'Then, after each power cycle; after the last one a person is asked.',
          BUILT_IN.boot.ladder.powerCycle,
        ).exactOptional(),
      },
      'How long each rung waits for a host that does not come back.',
    ).exactOptional(),
  },
  'How the one reboot is made.',
);

const workloads = oneOf(['refuse', 'stop'], {
  expected: 'refuse or stop',
  description: 'VMs, foreign pods and GPU processes that the reboot would end: refuse to go on, or stop them.',
  default: BUILT_IN.workloads,
});

const cluster = map(
  {
    k3s: map(
      {
        version: text(/^v1\.[0-9]{1,2}\.[0-9]{1,2}(-rc[0-9]+)?\+k3s[0-9]+$/, {
          expected: 'a k3s release, e.g. v1.35.3+k3s1',
          description: 'Release of k3s, as on its release page. Never upgraded in place.',
        }),
        token: secret(`Join token of the cluster: ${SECRET_REF_TEXT}. Left out, k3s makes one.`).exactOptional(),
      },
      'The Kubernetes distribution of the host.',
    ),
    cozystack: map(
      {
        version: text(/^1\.5\.[0-9]+$/, {
          expected: expectedCozystackVersion,
          description: 'Release of Cozystack, 1.5.x.',
        }),
        host: text(/^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/, {
          expected: 'a domain name in lower case, e.g. example.org',
          description: 'Domain under which Cozystack publishes its services.',
        }),
        externalIPs: list(ipAddress('One address.'), 64, {
          expected: 'a list of at least one IP address',
          description: 'Addresses under which services are reached from outside, usually those of the nodes.',
        }),
      },
      'The cloud on top of k3s.',
    ),
    storage: map(
      {
        pool: text(/^[a-z][a-z0-9_-]{0,31}$/, {
          expected: 'a name: lower-case letters, digits, dashes and underscores, at most 32',
          description: 'Name of the LINSTOR storage pool on the node, and of the zpool or volume group behind it.',
          default: BUILT_IN.storage.pool,
        }).exactOptional(),
        backend: oneOf(['zfs', 'lvm'], {
          expected: 'zfs or lvm',
          description: 'What a new pool is made of. A pool that is there already is used whatever it is made of.',
          default: BUILT_IN.storage.backend,
        }).exactOptional(),
      },
      "Where volumes are: LINSTOR's pool on the disks of servers.NAME.disks.",
    ).exactOptional(),
    nested: named(
      label('the name of a nested cluster', 'Name of the nested cluster.'),
      map(
        {
          tenant: text(/^[a-z0-9]{1,40}$/, {
            expected: 'a tenant name: lower-case letters and digits, no dashes (Cozystack joins names with them)',
            description: 'Tenant that owns the nested cluster; created below the root tenant.',
          }),
          nodes: count({ expected: 'a whole number, at least 1', description: 'Number of worker VMs.' }),
          cpu: count({ expected: 'a whole number of CPUs, at least 1', description: 'CPUs of each worker VM.' }),
          memory: size('Memory of each worker VM.'),
          disk: size('System disk of each worker VM; the GPU driver and CUDA images need 100Gi or more.'),
          gpusPerNode: count({
            expected: 'a whole number of GPUs, at least 1',
            description: 'GPUs of each worker VM.',
          }),
        },
        'One nested cluster.',
      ),
      {
        expected: 'a map with at least one nested cluster',
        description: 'Kubernetes clusters for tenants, in VMs, by name. They prove that the GPUs can be used.',
      },
    ),
    acceptance: oneOf(['nested', 'all'], {
      expected: 'nested or all',
      description:
        'Which GPUs a job proves. nested: those of the nested clusters. all: every GPU of the server; those that the nested clusters leave over in a temporary cluster, which is deleted afterwards.',
      default: BUILT_IN.acceptance,
    }).exactOptional(),
  },
  'One cluster.',
);

function expectedCozystackVersion(written: unknown): string {
  const [major, minor] = String(written).replace(/^v/, '').split('.').map(Number);
  const newer = major !== undefined && minor !== undefined && (major > 1 || (major === 1 && minor >= 6));
  return newer
    ? '1.5.x, e.g. 1.5.4: from 1.6 on nested clusters run Talos, where the GPU Operator addon does not work by itself (cozystack#3563)'
    : 'a Cozystack release of 1.5, e.g. 1.5.4';
}

const credentials = secret(`Where user:password of the BMC stands: ${SECRET_REF_TEXT}.`);

/** HOST or HOST:PORT, an IPv6 address in brackets. */
export const IPMI_ADDRESS = new RegExp(
  String.raw`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(${PORT.source}))?$`,
);

/** Of a union the keys that tell its branches apart, in their order; null for one that is no map. */
export const BRANCHES: Readonly<Record<string, readonly (string | null)[]>> = {
  bmc: [null, 'redfish', 'ipmi'],
  notify: ['slack', 'webhook'],
};

const bmc = z
  .union(
    [
      z.literal('none').meta({ description: 'No BMC: a host that hangs waits for a person.' }),
      map(
        {
          redfish: url('https', /[^/\s@?#]+\/?/, {
            expected: 'https:// and the host of the BMC, without path, user or password, e.g. https://192.0.2.111',
            description: 'Redfish address: https:// and host, without a path.',
          }),
          tls: text(/^sha256:([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$/, {
            expected: 'sha256: and the 64 hexadecimal digits of the certificate, colons between them allowed',
            description:
              'SHA-256 of the BMC certificate, as `openssl x509 -fingerprint -sha256` prints it. Left out, a CA that the worker trusts must have signed it.',
          }).exactOptional(),
          credentials,
        },
        'A BMC that speaks Redfish.',
      ),
      map(
        {
          ipmi: text(IPMI_ADDRESS, {
            expected: 'HOST or HOST:PORT, an IPv6 address in brackets',
            description: `IPMI address, HOST or HOST:PORT (UDP, ${BUILT_IN.ipmi.port} by default).`,
          }),
          cipherSuite: z
            .literal([3, 17], { error: '17, or 3 for older BMCs; the others leave the session open to listeners' })
            .meta({
              description: 'IPMI cipher suite: 17 (SHA-256), or 3 (SHA-1) for older BMCs.',
              default: BUILT_IN.ipmi.cipherSuite,
            })
            .exactOptional(),
          credentials,
        },
        'A BMC that speaks IPMI 2.0.',
      ),
    ],
    { error: 'none (written out), or a map with either redfish or ipmi, and credentials' },
  )
  .meta({
    description:
      'Power control, and with ipmi the serial console: none, or a map with redfish or ipmi. A server without a BMC says so.',
  });

const gpus = map(
  {
    id: text(/^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$/, {
      expected: 'PCI vendor and device, e.g. "10de:2330"',
      description: 'PCI vendor and device of the GPUs, as lspci -nn shows them: "10de:2330" is the H100 SXM5 80GB.',
    }),
    addresses: list(
      text(PCI_ADDRESS, {
        expected: expectedPciAddress,
        description: 'One PCI address, always in quotes: "0a:00.0" or "0000:0a:00.0".',
      }),
      16,
      {
        expected: 'a list of 1 to 16 PCI addresses in quotes',
        description:
          'PCI addresses of all GPUs that are to be given to VMs, in quotes: unquoted, 18:00.0 is the number 1080 to some YAML readers.',
      },
    ),
    resource: text(
      /^(?!([a-z0-9.-]+\.)?kubernetes\.io\/)(?=[^/]{1,253}\/)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+\/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
      {
        expected: 'an extended resource name, DOMAIN/NAME, e.g. nvidia.com/H100_SXM5_80GB',
        description: 'Name under which Kubernetes offers the GPUs: nvidia.com/H100_SXM5_80GB.',
      },
    ),
    nvswitch: oneOf(['none'], {
      expected: 'none, written out',
      description: 'How NVSwitches are used. none: GPUs in VMs work singly or over PCIe, without NVLink. No default.',
    }),
  },
  'The GPUs of the server.',
);

/** What firmware reports where nobody set a serial; many boards share these. */
const UNSET_SERIAL =
  /^(to be filled by o\.?e\.?m\.?|default string|system serial number|none|not specified|0*|0?123456789)$/i;

const server = map(
  {
    cluster: label('the name of a cluster', 'Cluster the server becomes a part of; one of clusters.'),
    role: oneOf(['server'], {
      expected: 'server',
      description: 'server: the first node of its cluster, a new k3s server.',
    }),
    address: ipAddress('Address for SSH.'),
    nodeIP: ipAddress('Address of the node in the cluster network. Left out, it is address.').exactOptional(),
    serial: text(/^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}$/, {
      expected: 'the DMI system serial, e.g. 5XKQ1P3',
      description: 'DMI system serial (dmidecode -s system-serial-number). SSH and BMC must both report it.',
    })
      .refine((serial) => !UNSET_SERIAL.test(serial), {
        error: 'the serial of this one machine; firmware says this where nobody set a serial',
      })
      .meta({ description: 'DMI system serial (dmidecode -s system-serial-number). SSH and BMC must both report it.' }),
    bmc,
    gpus,
    disks: list(
      text(/^\/dev\/disk\/by-id\/(?!.*-part[0-9]+$)[A-Za-z0-9._:+=@-]+$/, {
        expected:
          'a whole disk by its id, e.g. /dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS_S64GNE0R1: other names move between boots',
        description: 'One disk, /dev/disk/by-id/NAME, not a partition.',
      }),
      24,
      {
        expected: 'a list of disks by id',
        description:
          'Empty disks that LINSTOR gets for volumes, for good; asked about by serial before it takes them, and never wiped. Left out, the node must have the storage pool already.',
      },
    ).exactOptional(),
    ssh: ssh.exactOptional(),
    boot: boot.exactOptional(),
    workloads: workloads.exactOptional(),
  },
  'One server.',
);

function mirror(description: string): z.ZodString {
  return url('https?', /[^/\s@][^\s@]*/, {
    expected: 'a URL without user or password, http:// or https://',
    description,
  });
}

const receiver = z
  .union(
    [
      map(
        {
          slack: secret(
            `Where the URL of an incoming webhook of Slack, or of a chat that takes the same, stands: ${SECRET_REF_TEXT}.`,
          ),
        },
        'A channel of a chat.',
      ),
      map(
        {
          webhook: secret(`Where the URL stands: ${SECRET_REF_TEXT}.`),
          secret: secret(`Where the key stands that signs what is sent, at least 16 characters: ${SECRET_REF_TEXT}.`),
        },
        'A program of your own, told as JSON.',
      ),
    ],
    { error: 'a map with slack, or one with webhook and secret' },
  )
  .meta({ description: 'Who is told.' });

export const inventorySchema = map(
  {
    site: label('the name of the site', 'Name of the site. The workers of a site serve the queues of this name.'),
    notify: list(receiver, 10, {
      expected: 'a list of 1 to 10 receivers, each a map with slack, or one with webhook and secret',
      description:
        'Who is told when a run begins, asks, is answered, reboots, needs a person or ends: docs/notifications.md.',
    }).exactOptional(),
    mirrors: map(
      {
        apt: mirror('Ubuntu packages.').exactOptional(),
        k3s: mirror('k3s binaries and checksums, laid out as on their release page.').exactOptional(),
        charts: text(/^oci:\/\/[^/\s@]+(\/[^\s@]*)?$/, {
          expected: 'oci:// and a registry with a path, without user or password',
          description:
            "Copy of oci://ghcr.io/cozystack/cozystack with Cozystack's charts cozy-installer and cozystack-packages. Charts are no images: mirrors of registries don't count for them.",
        }).exactOptional(),
        registries: text(/^[^\s]+$/, {
          expected: 'a path, e.g. ./registries.yaml',
          description:
            'Path of a k3s registries.yaml, which names the mirrors of container registries. The host gets the file; nodes of nested clusters get its mirrors, without credentials.',
        }).exactOptional(),
      },
      'Copies of public sources, for sites without internet.',
    ).exactOptional(),
    clusters: named(label('the name of a cluster', 'Name of the cluster.'), cluster, {
      expected: 'a map with at least one cluster',
      description: 'Clusters, by name.',
    }),
    defaults: map(
      { ssh: ssh.exactOptional(), boot: boot.exactOptional(), workloads: workloads.exactOptional() },
      'What servers share. A server that says otherwise wins, key by key.',
    ).exactOptional(),
    servers: named(label('the name of a server', 'Name of the server, as in --server NAME.'), server, {
      expected: 'a map with at least one server',
      description: 'Servers, by name.',
    }),
  },
  'The servers of a site and what is to become of them.',
);

export type InventoryFile = z.infer<typeof inventorySchema>;
export type ServerEntry = InventoryFile['servers'][string];
