import { afterAll, describe, expect, it } from 'vitest';
import { edited, EXAMPLE, ExampleSite, withBmc } from './example-site.js';
import { checkInventory } from './index.js';

const DISKS = 'nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001]';

const PASSWORD = 'hunter2-not-for-messages';
const PRIVATE_KEY = `-----BEGIN OPENSSH PRIVATE KEY-----\n${PASSWORD}\n-----END OPENSSH PRIVATE KEY-----\n`;

const SECOND_SERVER = `  h100-02:
    { cluster: fra1-a, role: server, address: 192.0.2.11, serial: 5xkq1p3,
      bmc: { redfish: https://192.0.2.111/, credentials: env:B },
      gpus: { id: "10de:2330", addresses: ["0a:00.0", "18:00.0"], resource: nvidia.com/H100, nvswitch: none } }
`;

type Case = readonly [name: string, text: () => string, expected: readonly string[]];

const ADDRESSES = "'0a:00.0', '18:00.0'";

const CASES: readonly Case[] = [
  [
    'an empty file',
    () => '',
    [
      'inventory.yaml:1:1 inventory: found an empty value; expected a map with site, notify, mirrors, clusters, defaults, servers',
    ],
  ],
  [
    'a list',
    () => '- h100-01\n',
    [
      'inventory.yaml:1:1 inventory: found a list of 1; expected a map with site, notify, mirrors, clusters, defaults, servers',
    ],
  ],
  [
    'no YAML',
    () => edited(['site: fra1', 'site: "fra1']),
    ['inventory.yaml:52:1 inventory: not YAML: Missing closing "quote'],
  ],
  [
    'a tab',
    () => edited(['  fra1-a:', '\tfra1-a:']),
    ['inventory.yaml:10:1 inventory: found a tab; YAML is indented by spaces'],
  ],
  [
    'a key twice',
    () => edited(['    serial: 5XKQ1P3', '    role: server\n    serial: 5XKQ1P3']),
    ['inventory.yaml:40:5 inventory: found the key role twice in one map; expected it once'],
  ],
  [
    'two documents',
    () => `${EXAMPLE}---\nsite: x\n`,
    ['inventory.yaml:52:1 inventory: found a second document; a file is one inventory'],
  ],
  [
    'an alias that unfolds without end',
    () => bomb(),
    ['inventory.yaml:1:1 inventory: found aliases that unfold without end; write values out'],
  ],
  [
    'a value that is one alias of itself',
    () => edited(['site: fra1', 'site: &a [*a]']),
    [
      'inventory.yaml:7:10 site: found a list of 1; expected the name of the site: lower-case letters, digits and dashes, at most 63',
    ],
  ],
  [
    'a merge key',
    () => edited(['    role: server', '    <<: {}\n    role: server']),
    [
      'inventory.yaml:37:5 servers.h100-01."<<": found an unknown key; expected one of cluster, role, address, nodeIP, serial, bmc, gpus, disks, ssh, boot, workloads',
    ],
  ],
  [
    'a password that looks like an alias',
    () => edited(['env:BMC_H100_01', `*${PASSWORD}`]),
    ['inventory.yaml:44:20 inventory: found an alias without its anchor; a value that begins with * stands in quotes'],
  ],
  [
    'a password that looks like a tag',
    () => edited(['env:BMC_H100_01', `!${PASSWORD} x`]),
    ['inventory.yaml:44:20 inventory: found an unknown tag; a value that begins with ! stands in quotes'],
  ],
  [
    'a password after a closed quote',
    () => edited(['env:BMC_H100_01', `"a" ${PASSWORD}`]),
    [
      'inventory.yaml:44:24 inventory: found text that YAML does not allow here; check quotes, brackets and indentation',
    ],
  ],
  [
    'an unknown key',
    () => edited(['    serial:', '    seriel:']),
    [
      'inventory.yaml:35:3 servers.h100-01.serial: missing; expected the DMI system serial, e.g. 5XKQ1P3',
      'inventory.yaml:40:5 servers.h100-01.seriel: found an unknown key; expected one of cluster, role, address, nodeIP, serial, bmc, gpus, disks, ssh, boot, workloads (did you mean serial?)',
    ],
  ],
  [
    'an unknown key at the top',
    () => edited(['defaults:', 'default:']),
    [
      'inventory.yaml:22:1 default: found an unknown key; expected one of site, notify, mirrors, clusters, defaults, servers (did you mean defaults?)',
    ],
  ],
  [
    'a key with a line break',
    () => edited(['    serial:', '    "a\\nb": 1\n    serial:']),
    [
      'inventory.yaml:40:5 servers.h100-01."a\\nb": found an unknown key; expected one of cluster, role, address, nodeIP, serial, bmc, gpus, disks, ssh, boot, workloads',
    ],
  ],
  [
    'a key like no other',
    () => edited(['    serial:', '    colour: red\n    serial:']),
    [
      'inventory.yaml:40:5 servers.h100-01.colour: found an unknown key; expected one of cluster, role, address, nodeIP, serial, bmc, gpus, disks, ssh, boot, workloads',
    ],
  ],
  [
    'a missing key',
    () => edited(['    address: 192.0.2.11 # SSH\n', '']),
    ['inventory.yaml:35:3 servers.h100-01.address: missing; expected an IP address, e.g. 192.0.2.11'],
  ],
  [
    'an empty value',
    () => edited(['serial: 5XKQ1P3', 'serial:']),
    ['inventory.yaml:40:13 servers.h100-01.serial: found an empty value; expected the DMI system serial, e.g. 5XKQ1P3'],
  ],
  [
    'a text for a map',
    () => edited(["    gpus:\n      id: '10de:2330'", "    gpus: all\n    x:\n      id: '10de:2330'"]),
    [
      'inventory.yaml:45:11 servers.h100-01.gpus: found "all"; expected a map with id, addresses, resource, nvswitch',
      'inventory.yaml:46:5 servers.h100-01.x: found an unknown key; expected one of cluster, role, address, nodeIP, serial, bmc, gpus, disks, ssh, boot, workloads',
    ],
  ],
  [
    'no clusters',
    () => edited(['clusters:\n', 'clusters: {}\nx:\n']),
    [
      'inventory.yaml:9:11 clusters: found an empty map; expected a map with at least one cluster',
      'inventory.yaml:10:1 x: found an unknown key; expected one of site, notify, mirrors, clusters, defaults, servers',
    ],
  ],
  [
    'a site name',
    () => edited(['site: fra1', 'site: Fra 1']),
    [
      'inventory.yaml:7:7 site: found "Fra 1"; expected the name of the site: lower-case letters, digits and dashes, at most 63',
    ],
  ],
  [
    'a server name',
    () => edited(['  h100-01:\n', '  H100_01:\n']),
    [
      'inventory.yaml:35:3 servers.H100_01: found "H100_01"; expected the name of a server: lower-case letters, digits and dashes, at most 63',
    ],
  ],
  [
    'an unquoted PCI address',
    () => edited([ADDRESSES, '0a:00.0, 18:00.0']),
    [
      'inventory.yaml:48:19 servers.h100-01.gpus.addresses[0]: found 0a:00.0 without quotes; expected "0a:00.0": without them some YAML readers take it for a number',
      'inventory.yaml:48:28 servers.h100-01.gpus.addresses[1]: found 18:00.0 without quotes; expected "18:00.0": without them some YAML readers take it for a number',
    ],
  ],
  [
    'an unquoted PCI address in YAML 1.1',
    () => `%YAML 1.1\n---\n${edited([ADDRESSES, "'0a:00.0', 18:00.0"])}`,
    [
      'inventory.yaml:50:30 servers.h100-01.gpus.addresses[1]: found 18:00.0 without quotes; expected "18:00.0": without them some YAML readers take it for a number',
    ],
  ],
  [
    'a PCI function',
    () => edited(["'18:00.0'", "'18:00.8'"]),
    [
      'inventory.yaml:48:30 servers.h100-01.gpus.addresses[1]: found "18:00.8"; expected a PCI address, e.g. "0a:00.0" or "0000:0a:00.0": the function is 0 to 7',
    ],
  ],
  [
    'PCI digits',
    () => edited(["'18:00.0'", "'1g:20.0'"]),
    [
      'inventory.yaml:48:30 servers.h100-01.gpus.addresses[1]: found "1g:20.0"; expected a PCI address, e.g. "0a:00.0" or "0000:0a:00.0": the bus is two hexadecimal digits, the device is 00 to 1f',
    ],
  ],
  [
    'a PCI domain',
    () => edited(["'18:00.0'", "'000:18:00.0'"]),
    [
      'inventory.yaml:48:30 servers.h100-01.gpus.addresses[1]: found "000:18:00.0"; expected a PCI address, e.g. "0a:00.0" or "0000:0a:00.0": the domain is four hexadecimal digits',
    ],
  ],
  [
    'a PCI address that is none',
    () => edited(["'18:00.0'", "'GPU-2'"]),
    [
      'inventory.yaml:48:30 servers.h100-01.gpus.addresses[1]: found "GPU-2"; expected a PCI address, e.g. "0a:00.0" or "0000:0a:00.0"',
    ],
  ],
  [
    'no PCI addresses',
    () => edited([/addresses: \[.*\]/.exec(EXAMPLE)?.[0] ?? '', 'addresses: []']),
    [
      'inventory.yaml:48:18 servers.h100-01.gpus.addresses: found an empty list; expected a list of 1 to 16 PCI addresses in quotes',
    ],
  ],
  [
    'too many PCI addresses',
    () => edited([ADDRESSES, Array.from({ length: 11 }, (_, i) => `'${10 + i}:00.0'`).join()]),
    [
      'inventory.yaml:48:18 servers.h100-01.gpus.addresses: found a list of 17; expected a list of 1 to 16 PCI addresses in quotes',
    ],
  ],
  [
    'a PCI address twice',
    () => edited(["'18:00.0'", "'0000:0A:00.0'"]),
    [
      'inventory.yaml:48:30 servers.h100-01.gpus.addresses[1]: found 0000:0a:00.0, which addresses[0] has already; expected each GPU once',
    ],
  ],
  [
    'a PCI id',
    () => edited(["'10de:2330'", "'10de'"]),
    ['inventory.yaml:46:11 servers.h100-01.gpus.id: found "10de"; expected PCI vendor and device, e.g. "10de:2330"'],
  ],
  [
    'a resource name',
    () => edited(['nvidia.com/H100_SXM5_80GB', 'H100_SXM5_80GB']),
    [
      'inventory.yaml:49:17 servers.h100-01.gpus.resource: found "H100_SXM5_80GB"; expected an extended resource name, DOMAIN/NAME, e.g. nvidia.com/H100_SXM5_80GB',
    ],
  ],
  [
    'a resource name of Kubernetes',
    () => edited(['nvidia.com/H100', 'kubernetes.io/H100']),
    [
      'inventory.yaml:49:17 servers.h100-01.gpus.resource: found "kubernetes.io/H100_SXM5_80GB"; expected an extended resource name, DOMAIN/NAME, e.g. nvidia.com/H100_SXM5_80GB',
    ],
  ],
  [
    'nvswitch missing',
    () => edited(['      nvswitch: none', '      #']),
    ['inventory.yaml:45:5 servers.h100-01.gpus.nvswitch: missing; expected none, written out'],
  ],
  [
    'another nvswitch',
    () => edited(['nvswitch: none', 'nvswitch: fabric-manager']),
    [
      'inventory.yaml:50:17 servers.h100-01.gpus.nvswitch: "fabric-manager" is not built yet; expected none, where GPUs in VMs work without NVLink',
    ],
  ],
  [
    'role agent',
    () => edited(['role: server', 'role: agent']),
    [
      'inventory.yaml:37:11 servers.h100-01.role: "agent" is not built yet; expected server, the only node of its cluster',
    ],
  ],
  [
    'another role',
    () => edited(['role: server', 'role: master']),
    ['inventory.yaml:37:11 servers.h100-01.role: found "master"; expected server'],
  ],
  [
    'a missing cluster',
    () => edited(['cluster: fra1-a', 'cluster: fra1-b']),
    [
      'inventory.yaml:36:14 servers.h100-01.cluster: found fra1-b; expected one of clusters: fra1-a (did you mean fra1-a?)',
    ],
  ],
  [
    'an IP address',
    () => edited(['address: 192.0.2.11', 'address: 192.0.2.256']),
    ['inventory.yaml:38:14 servers.h100-01.address: found "192.0.2.256"; expected an IP address, e.g. 192.0.2.11'],
  ],
  [
    'a node IP',
    () => edited(['nodeIP: 10.0.0.11', 'nodeIP: h100-01']),
    ['inventory.yaml:39:13 servers.h100-01.nodeIP: found "h100-01"; expected an IP address, e.g. 192.0.2.11'],
  ],
  [
    'a number as serial',
    () => edited(['serial: 5XKQ1P3', 'serial: 51E2012']),
    [
      'inventory.yaml:40:13 servers.h100-01.serial: found 51E2012 without quotes; expected "51E2012": without them some YAML readers take it for a number',
    ],
  ],
  [
    'a serial that nobody set',
    () => edited(['serial: 5XKQ1P3', 'serial: To Be Filled By O.E.M.']),
    [
      'inventory.yaml:40:13 servers.h100-01.serial: found "To Be Filled By O.E.M."; expected the serial of this one machine; firmware says this where nobody set a serial',
    ],
  ],
  [
    'a port',
    () => edited(['    user: ubuntu', '    port: 65536\n    user: ubuntu']),
    ['inventory.yaml:24:11 defaults.ssh.port: found the number 65536; expected a TCP port, 1 to 65535'],
  ],
  [
    'a bastion as one text',
    () => edited(['    user: ubuntu', '    bastion: op@192.0.2.1\n    user: ubuntu']),
    ['inventory.yaml:24:14 defaults.ssh.bastion: found "...@192.0.2.1"; expected a map with host, port, user, key'],
  ],
  [
    'a bastion with a user in its host, an unknown key, and a key itself',
    () =>
      edited([
        '    user: ubuntu',
        `    bastion: { host: op@192.0.2.1, usr: op, key: ${JSON.stringify(PRIVATE_KEY)} }\n    user: ubuntu`,
      ]),
    [
      'inventory.yaml:24:22 defaults.ssh.bastion.host: found "...@192.0.2.1"; expected a host name or an IP address, e.g. bastion.example.org',
      'inventory.yaml:24:50 defaults.ssh.bastion.key: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
      'inventory.yaml:24:36 defaults.ssh.bastion.usr: found an unknown key; expected one of host, port, user, key (did you mean user?)',
    ],
  ],
  [
    'a bastion without a host',
    () => edited(['    user: ubuntu', '    bastion: { port: 22 }\n    user: ubuntu']),
    [
      'inventory.yaml:24:5 defaults.ssh.bastion.host: missing; expected a host name or an IP address, e.g. bastion.example.org',
    ],
  ],
  [
    'no user',
    () => edited(['    user: ubuntu\n', '']),
    ['inventory.yaml:34:3 servers.h100-01.ssh.user: missing; expected it here or in defaults.ssh.user'],
  ],
  [
    'a key without file:',
    () => edited(['file:./secrets/id_ed25519', '~/.ssh/id']),
    [
      'inventory.yaml:25:10 defaults.ssh.key: found "~/.ssh/id"; expected agent, or a reference to a private key without passphrase: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'a key itself',
    () => edited(['file:./secrets/id_ed25519', JSON.stringify(PRIVATE_KEY)]),
    [
      'inventory.yaml:25:10 defaults.ssh.key: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'a password instead of a reference',
    () => edited(['env:BMC_H100_01', PASSWORD]),
    [
      'inventory.yaml:44:20 servers.h100-01.bmc.credentials: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'a Kubernetes Secret without a key',
    () => edited(['env:BMC_H100_01', 'kubernetes:bmc/h100-01']),
    [
      'inventory.yaml:44:20 servers.h100-01.bmc.credentials: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'a number instead of a reference',
    () => edited(['file:./secrets/k3s-token', '31337']),
    [
      'inventory.yaml:13:14 clusters.fra1-a.k3s.token: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'a password in a URL',
    () => edited(['https://192.0.2.111', `https://admin:${PASSWORD}@192.0.2.111`]),
    [
      'inventory.yaml:42:16 servers.h100-01.bmc.redfish: found "https://...@192.0.2.111"; expected https:// and the host of the BMC, without path, user or password, e.g. https://192.0.2.111',
    ],
  ],
  [
    'a password in an IPMI address',
    () => withBmc(`{ ipmi: "admin:${PASSWORD}@bmc", credentials: env:B }`),
    [
      'inventory.yaml:41:18 servers.h100-01.bmc.ipmi: found "...@bmc"; expected HOST or HOST:PORT, an IPv6 address in brackets',
    ],
  ],
  [
    'Redfish without TLS',
    () => edited(['https://192.0.2.111', 'http://192.0.2.111']),
    [
      'inventory.yaml:42:16 servers.h100-01.bmc.redfish: found "http://192.0.2.111"; expected https:// and the host of the BMC, without path, user or password, e.g. https://192.0.2.111',
    ],
  ],
  [
    'a fingerprint',
    () => edited(["'sha256:9f:", "'sha256:"]),
    [
      'inventory.yaml:43:12 servers.h100-01.bmc.tls: found "sha256:1c:52:d0:0b:7e:44:a8:63:91:f5:2e:b8:07:da:3c:65:e9:12..."; expected sha256: and the 64 hexadecimal digits of the certificate, colons between them allowed',
    ],
  ],
  [
    'no BMC said',
    () => withBmc(null),
    [
      'inventory.yaml:35:3 servers.h100-01.bmc: missing; expected none (written out), or a map with either redfish or ipmi, and credentials',
    ],
  ],
  [
    'an empty BMC',
    () => withBmc('{}'),
    [
      'inventory.yaml:41:10 servers.h100-01.bmc: found an empty map; expected none (written out), or a map with either redfish or ipmi, and credentials',
    ],
  ],
  [
    'two BMCs',
    () => withBmc('{ ipmi: a, redfish: https://b, credentials: env:B }'),
    [
      'inventory.yaml:41:10 servers.h100-01.bmc: found a map with ipmi, redfish, credentials; expected none (written out), or a map with either redfish or ipmi, and credentials',
    ],
  ],
  [
    'a BMC without credentials',
    () => withBmc('{ ipmi: a }'),
    [
      'inventory.yaml:41:5 servers.h100-01.bmc.credentials: missing; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
    ],
  ],
  [
    'an IPMI port',
    () => withBmc('{ ipmi: "a:65536", credentials: env:B }'),
    [
      'inventory.yaml:41:18 servers.h100-01.bmc.ipmi: found "a:65536"; expected HOST or HOST:PORT, an IPv6 address in brackets',
    ],
  ],
  [
    'an open cipher suite',
    () => withBmc('{ ipmi: a, cipherSuite: 0, credentials: env:B }'),
    [
      'inventory.yaml:41:34 servers.h100-01.bmc.cipherSuite: found the number 0; expected 17, or 3 for older BMCs; the others leave the session open to listeners',
    ],
  ],
  [
    'direct without a BMC',
    () => withBmc('none', ['strategy: known-good', 'strategy: direct']),
    [
      'inventory.yaml:41:10 servers.h100-01.bmc: found boot.strategy direct with bmc none; expected a BMC, since nothing else recovers a host whose new image hangs',
    ],
  ],
  [
    'a strategy',
    () => edited(['strategy: known-good', 'strategy: safe']),
    ['inventory.yaml:28:15 defaults.boot.strategy: found "safe"; expected known-good or direct'],
  ],
  [
    'a duration',
    () => edited(['deadMan: 30m', 'deadMan: 30 min']),
    [
      'inventory.yaml:29:14 defaults.boot.deadMan: found "30 min"; expected a duration: a whole number and s, m, h or d, e.g. 30m',
    ],
  ],
  [
    'a dead-man that fires before the boot can be confirmed',
    () => edited(['deadMan: 30m', 'deadMan: 17m']),
    [
      'inventory.yaml:29:14 defaults.boot.deadMan: found a deadMan of 1020 s; expected more than 1020 s, since settle (120 s) and verify (900 s) may take that long before the boot is confirmed',
    ],
  ],
  [
    'a proof that takes longer than the dead-man waits',
    () => edited(['    gpus:\n', '    boot: { verify: 1h }\n    gpus:\n']),
    [
      'inventory.yaml:45:21 servers.h100-01.boot.verify: found a deadMan of 1800 s; expected more than 3720 s, since settle (120 s) and verify (3600 s) may take that long before the boot is confirmed',
    ],
  ],
  [
    'a duration without unit',
    () => edited(['reminder: 1h', 'reminder: 60']),
    [
      'inventory.yaml:30:41 defaults.boot.approval.reminder: found 60; expected a duration: a whole number and s, m, h or d, e.g. 30m',
    ],
  ],
  [
    'a size',
    () => edited(['memory: 512Gi', 'memory: 512GB']),
    [
      'inventory.yaml:20:60 clusters.fra1-a.nested.main.memory: found "512GB"; expected a size: a whole number and Mi, Gi, Ti, M, G or T, e.g. 512Gi',
    ],
  ],
  [
    'a size without unit',
    () => edited(['disk: 200Gi', 'disk: 200']),
    [
      'inventory.yaml:20:73 clusters.fra1-a.nested.main.disk: found 200; expected a size: a whole number and Mi, Gi, Ti, M, G or T, e.g. 512Gi',
    ],
  ],
  [
    'half a CPU',
    () => edited(['cpu: 56', 'cpu: 0.5']),
    [
      'inventory.yaml:20:48 clusters.fra1-a.nested.main.cpu: found the number 0.5; expected a whole number of CPUs, at least 1',
    ],
  ],
  [
    'more GPUs than there are',
    () => edited(['nodes: 1,', 'nodes: 5,']),
    [
      'inventory.yaml:20:7 clusters.fra1-a.nested: found 10 GPUs (main 5 x 2); expected at most 8, which servers.h100-01.gpus.addresses has',
    ],
  ],
  [
    'an acceptance that does not exist',
    () => edited(['    nested:\n', '    acceptance: every\n    nested:\n']),
    ['inventory.yaml:18:17 clusters.fra1-a.acceptance: found "every"; expected nested or all'],
  ],
  [
    'the tenant of the temporary cluster',
    () => edited(['    nested:\n', '    acceptance: all\n    nested:\n'], ['tenant: workload', 'tenant: gpuprovision']),
    [
      'inventory.yaml:21:23 clusters.fra1-a.nested.main.tenant: found gpuprovision, the tenant of the temporary cluster that acceptance: all makes and deletes; expected another one',
    ],
  ],
  [
    'a tenant with a dash',
    () => edited(['tenant: workload', 'tenant: work-load']),
    [
      'inventory.yaml:20:23 clusters.fra1-a.nested.main.tenant: found "work-load"; expected a tenant name: lower-case letters and digits, no dashes (Cozystack joins names with them)',
    ],
  ],
  [
    'a k3s version',
    () => edited(['v1.35.3+k3s1', '1.35.3']),
    ['inventory.yaml:12:16 clusters.fra1-a.k3s.version: found "1.35.3"; expected a k3s release, e.g. v1.35.3+k3s1'],
  ],
  [
    'Cozystack 1.6',
    () => edited(['version: 1.5.4', 'version: 1.6.2']),
    [
      'inventory.yaml:15:16 clusters.fra1-a.cozystack.version: found "1.6.2"; expected 1.5.x, e.g. 1.5.4: from 1.6 on nested clusters run Talos, where the GPU Operator addon does not work by itself (cozystack#3563)',
    ],
  ],
  [
    'Cozystack as a number',
    () => edited(['version: 1.5.4', 'version: 1.5']),
    [
      'inventory.yaml:15:16 clusters.fra1-a.cozystack.version: found 1.5; expected a Cozystack release of 1.5, e.g. 1.5.4',
    ],
  ],
  [
    'Cozystack 1.4',
    () => edited(['version: 1.5.4', 'version: 1.4.9']),
    [
      'inventory.yaml:15:16 clusters.fra1-a.cozystack.version: found "1.4.9"; expected a Cozystack release of 1.5, e.g. 1.5.4',
    ],
  ],
  [
    'nobody to notify',
    () => edited(['site: fra1', 'site: fra1\nnotify: []']),
    [
      'inventory.yaml:8:9 notify: found an empty list; expected a list of 1 to 10 receivers, each a map with slack, or one with webhook and secret',
    ],
  ],
  [
    'the URL of a webhook itself, a webhook without a key, and a receiver that is both',
    () =>
      edited([
        'site: fra1',
        `site: fra1\nnotify: [{ slack: https://hooks.slack.com/${PASSWORD} }, { webhook: env:URL }, { slack: env:A, webhook: env:B }]`,
      ]),
    [
      'inventory.yaml:8:19 notify[0].slack: found a text that is not shown here; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
      'inventory.yaml:8:1 notify[1].secret: missing; expected a reference to a secret, never the secret itself: file:PATH, env:NAME, command:PROGRAM ARGUMENT... or kubernetes:NAMESPACE/SECRET/KEY',
      'inventory.yaml:8:109 notify[2].webhook: found an unknown key; expected one of slack',
    ],
  ],
  [
    'an existing Cozystack',
    () => edited(['      host: example.org', '      existing: true\n      host: example.org']),
    [
      'inventory.yaml:16:7 clusters.fra1-a.cozystack.existing: using a Cozystack that is there already is not built yet; remove it, a run installs its own',
    ],
  ],
  [
    'a disk by its kernel name, and a partition',
    () => edited([DISKS, 'nvme-A-part1, /dev/nvme1n1]']),
    ['/dev/disk/by-id/nvme-A-part1', '/dev/nvme1n1'].map(
      (disk, i) =>
        `inventory.yaml:51:${[13, 43][i]} servers.h100-01.disks[${i}]: found "${disk}"; expected a whole disk by its id, e.g. /dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS_S64GNE0R1: other names move between boots`,
    ),
  ],
  [
    'a disk twice',
    () => edited([DISKS, 'nvme-A, /dev/disk/by-id/nvme-A]']),
    [
      'inventory.yaml:51:37 servers.h100-01.disks[1]: found /dev/disk/by-id/nvme-A, which disks[0] has already; expected each disk once',
    ],
  ],
  [
    'a backend that is none, and a pool with a blank',
    () => edited(['    cozystack:', '    storage: { pool: my pool, backend: btrfs }\n    cozystack:']),
    [
      'inventory.yaml:14:22 clusters.fra1-a.storage.pool: found "my pool"; expected a name: lower-case letters, digits, dashes and underscores, at most 32',
      'inventory.yaml:14:40 clusters.fra1-a.storage.backend: found "btrfs"; expected zfs or lvm',
    ],
  ],
  [
    'a window',
    () => edited(['    deadMan: 30m', '    window: "Sun 01:00-05:00"\n    deadMan: 30m']),
    [
      'inventory.yaml:29:5 defaults.boot.window: reboot windows are not built yet; remove it and approve at a time that suits',
    ],
  ],
  [
    'approvers',
    () => edited(['approval: { ', 'approval: { required: 2, from: [op-a], notStarter: true, ']),
    [
      'inventory.yaml:30:17 defaults.boot.approval.required: counting approvals is not built yet; remove it, one is asked for',
      'inventory.yaml:30:30 defaults.boot.approval.from: naming approvers is not built yet; remove it, anybody who reaches the Temporal server can approve',
      'inventory.yaml:30:44 defaults.boot.approval.notStarter: keeping the starter from approving is not built yet; remove it and agree on it among people',
    ],
  ],
  [
    'a mirror with a password',
    () => edited(['site: fra1', `site: fra1\nmirrors: { apt: "http://u:${PASSWORD}@m/" }`]),
    [
      'inventory.yaml:8:17 mirrors.apt: found "http://...@m/"; expected a URL without user or password, http:// or https://',
    ],
  ],
  [
    'a second server on the address, the serial, the BMC and the cluster of the first',
    () => EXAMPLE + SECOND_SERVER,
    [
      'inventory.yaml:53:47 servers.h100-02.address: found 192.0.2.11:22, which servers.h100-01 has already; expected an SSH address and port of its own',
      'inventory.yaml:53:67 servers.h100-02.serial: found 5xkq1p3, which servers.h100-01 has already; expected the serial of this machine',
      'inventory.yaml:54:12 servers.h100-02.bmc: found https://192.0.2.111, which servers.h100-01 has already; expected a BMC of its own: it would power-cycle the other server',
      'inventory.yaml:53:16 servers.h100-02.cluster: found fra1-a, which servers.h100-01 has already; expected a cluster of its own: joining a server to an existing cluster is not built yet',
    ],
  ],
  [
    'a second server on the address of the first, but in the network of another bastion',
    () =>
      EXAMPLE +
      SECOND_SERVER.replace('serial: 5xkq1p3', 'serial: A1, ssh: { bastion: { host: b } }').replace('111', '112'),
    [
      'inventory.yaml:53:16 servers.h100-02.cluster: found fra1-a, which servers.h100-01 has already; expected a cluster of its own: joining a server to an existing cluster is not built yet',
    ],
  ],
];

/** Ten levels of ten aliases each. */
function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`);
  return [`l0: &l0 x`, ...levels, ''].join('\n');
}

describe('one line for every mistake: its place, what was found and what would be right, and no secret', () => {
  const site = new ExampleSite();
  afterAll(() => site.remove());

  it.each(CASES)('%s', (_, text, expected) => {
    site.put('inventory.yaml', text());
    const lines = site.relative(checkInventory(site.path, { secrets: false }));
    expect(lines).toEqual(expected);
    expect(lines.join('\n')).not.toContain(PASSWORD);
  });
});
