import { join } from 'node:path';
import ssh2 from 'ssh2';
import { chmodSync, rmSync } from 'node:fs';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { edited, EXAMPLE, ExampleSite, withBmc } from './example-site.js';
import { checkInventory, InventoryError, loadInventory, resolveServer } from './index.js';

const { generateKeyPairSync } = ssh2.utils;
const KEY = generateKeyPairSync('ed25519');
const ENCRYPTED_KEY = generateKeyPairSync('ed25519', { passphrase: 'five!', cipher: 'aes256-ctr', rounds: 4 });
const HOST_KEY = generateKeyPairSync('ed25519').public.trim();
const PASSWORD = 'hunter2-not-for-messages';

const site = new ExampleSite();
afterAll(() => site.remove());

beforeEach(() => {
  site.put('secrets/id_ed25519', KEY.private);
  site.put('secrets/k3s-token', 'token\n');
  site.put('known_hosts', `192.0.2.11 ${HOST_KEY}\n`);
  site.put('inventory.yaml', EXAMPLE);
  rmSync(join(site.directory, 'registries.yaml'), { force: true });
  vi.stubEnv('BMC_H100_01', `admin:${PASSWORD}`);
  return () => vi.unstubAllEnvs();
});

function problems(options = { secrets: false }): readonly string[] {
  return site.relative(checkInventory(site.path, options));
}

describe('the example', () => {
  it('resolves to what a run is started with', () => {
    expect(problems({ secrets: true })).toEqual([]);
    const spec = resolveServer(loadInventory(site.path), 'h100-01');
    expect(spec).toEqual({
      name: 'h100-01',
      site: 'fra1',
      role: 'server',
      nodeIP: '10.0.0.11',
      serial: '5XKQ1P3',
      ssh: {
        host: '192.0.2.11',
        port: 22,
        user: 'ubuntu',
        key: `file:${site.directory}/secrets/id_ed25519`,
        knownHosts: `${site.directory}/known_hosts`,
      },
      bmc: {
        kind: 'redfish',
        url: 'https://192.0.2.111',
        tlsFingerprint: 'sha256:9f1c52d00b7e44a86391f52eb807da3c65e9128f70bd46c31ad7945b08efa237',
        credentials: 'env:BMC_H100_01',
      },
      gpus: {
        id: '10de:2330',
        addresses: ['0a', '18', '3b', '44', '87', '90', 'b8', 'c1'].map((bus) => `0000:${bus}:00.0`),
        resource: 'nvidia.com/H100_SXM5_80GB',
        nvswitch: 'none',
      },
      boot: {
        strategy: 'known-good',
        deadManSeconds: 1_800,
        approvalExpiresSeconds: 86_400,
        approvalReminderSeconds: 3_600,
        settleSeconds: 120,
        verifySeconds: 900,
        ladder: { waitSeconds: 2_100, lookSeconds: 1_200, gracefulSeconds: 600, powerCycleSeconds: 1_200 },
      },
      workloads: 'refuse',
      cluster: {
        name: 'fra1-a',
        k3s: { version: 'v1.35.3+k3s1', token: `file:${site.directory}/secrets/k3s-token` },
        cozystack: { version: '1.5.4', host: 'example.org', externalIPs: ['192.0.2.11'] },
        storage: { pool: 'data', backend: 'zfs' },
        nested: [
          { name: 'main', tenant: 'workload', nodes: 1, cpu: 56, memory: '512Gi', disk: '200Gi', gpusPerNode: 2 },
        ],
        acceptance: 'nested',
      },
      mirrors: { apt: null, k3s: null, charts: null, registries: null },
      disks: ['/dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001'],
    });
  });

  it('a server wins over defaults key by key, and defaults over what is built in', () => {
    site.put(
      'inventory.yaml',
      edited(
        ['    deadMan: 30m', '    deadMan: 45m\n    settle: 90s'],
        [
          '    gpus:\n',
          '    ssh: { port: 2222, key: agent }\n    boot: { ladder: { wait: 1h } }\n    workloads: stop\n    gpus:\n',
        ],
      ),
    );
    const { ssh, boot, workloads } = loadInventory(site.path).servers.get('h100-01') ?? {};
    expect(ssh).toMatchObject({ user: 'ubuntu', port: 2222, key: null });
    expect(boot).toMatchObject({ deadManSeconds: 2_700, settleSeconds: 90 });
    expect(boot?.ladder).toEqual({
      waitSeconds: 3_600,
      lookSeconds: 1_200,
      gracefulSeconds: 600,
      powerCycleSeconds: 1_200,
    });
    expect(workloads).toBe('stop');
  });

  it.each([
    ['{ ipmi: bmc-01, credentials: env:B }', { host: 'bmc-01', port: 623, cipherSuite: 17 }],
    [
      '{ ipmi: "[2001:db8::7]:6230", cipherSuite: 3, credentials: env:B }',
      { host: '2001:db8::7', port: 6230, cipherSuite: 3 },
    ],
  ])('reads the BMC %s', (written, expected) => {
    site.put('inventory.yaml', withBmc(written));
    expect(loadInventory(site.path).servers.get('h100-01')?.bmc).toEqual({
      kind: 'ipmi',
      credentials: 'env:B',
      ...expected,
    });
  });

  it('proves what is in nested clusters, unless it asks for all', () => {
    const acceptance = (...edits: readonly (readonly [string, string])[]): string | undefined => {
      site.put('inventory.yaml', edited(...edits));
      return loadInventory(site.path).servers.get('h100-01')?.cluster.acceptance;
    };
    expect(acceptance()).toBe('nested');
    expect(acceptance(['    nested:\n', '    acceptance: all\n    nested:\n'])).toBe('all');
  });

  it('expands ~/ and leaves absolute paths alone', () => {
    vi.stubEnv('HOME', '/home/op');
    site.put(
      'inventory.yaml',
      edited(['file:./secrets/id_ed25519', 'file:~/.ssh/fra1'], ['file:./known_hosts', 'file:/etc/kh']),
    );
    expect(loadInventory(site.path).servers.get('h100-01')?.ssh).toMatchObject({
      key: 'file:/home/op/.ssh/fra1',
      knownHosts: '/etc/kh',
    });
  });

  it('loads without looking at the files it names, since status and approve run where no keys are', () => {
    rmSync(join(site.directory, 'known_hosts'));
    const inventory = loadInventory(site.path);
    expect(() => resolveServer(inventory, 'h100-01')).toThrow(InventoryError);
  });
});

describe('the files an inventory names', () => {
  const KEY_AT = 'inventory.yaml:25:10 defaults.ssh.key:';
  const KNOWN_HOSTS_AT = 'inventory.yaml:26:17 defaults.ssh.knownHosts:';
  const CREDENTIALS_AT = 'inventory.yaml:44:20 servers.h100-01.bmc.credentials:';
  const TOKEN_AT = 'inventory.yaml:13:14 clusters.fra1-a.k3s.token:';

  it.each([
    ['a public key', KEY.public, 'which is a public key; expected the private one'],
    [
      'a key with a passphrase',
      ENCRYPTED_KEY.private,
      `which has a passphrase; expected one without, or agent (ssh-add secrets/id_ed25519)`,
    ],
    [
      'a PKCS#8 key with a passphrase',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n',
      'which has a passphrase; expected one without, or agent (ssh-add secrets/id_ed25519)',
    ],
    [
      'no key',
      PASSWORD,
      'which is no private key that ssh2 reads; expected OpenSSH or PEM form (ssh-keygen -p -f converts)',
    ],
  ])('%s as SSH key', (_, text, expected) => {
    site.put('secrets/id_ed25519', text);
    expect(problems()).toEqual([`${KEY_AT} found secrets/id_ed25519, ${expected}`]);
  });

  it.each([
    ['secrets/none', 'there is no such file'],
    ['secrets', 'it is a directory'],
    ['known_hosts/key', 'a part of its path is not a directory'],
  ])('a key file that cannot be read: %s', (file, reason) => {
    site.put('inventory.yaml', edited(['./secrets/id_ed25519', `./${file}`]));
    expect(problems()).toEqual([
      `${KEY_AT} found ${file}, but ${reason}; expected a file with a private key without passphrase`,
    ]);
  });

  it('points at the server when it names the file itself', () => {
    site.put('inventory.yaml', edited(['    gpus:\n', '    ssh: { key: file:mine }\n    gpus:\n']));
    expect(problems()).toEqual([
      'inventory.yaml:45:17 servers.h100-01.ssh.key: found mine, but there is no such file; expected a file with a private key without passphrase',
    ]);
  });

  it('no known_hosts', () => {
    rmSync(join(site.directory, 'known_hosts'));
    expect(problems()).toEqual([
      `${KNOWN_HOSTS_AT} found known_hosts, but there is no such file; expected a known_hosts file`,
    ]);
  });

  it('known_hosts without the server', () => {
    site.put('known_hosts', `192.0.2.12 ${HOST_KEY}\n`);
    expect(problems()).toEqual([
      `${KNOWN_HOSTS_AT} found known_hosts without a key for 192.0.2.11; expected one; ssh-keyscan -p 22 192.0.2.11 prints it, compare it at the console`,
    ]);
  });

  it('known_hosts with the server under another port', () => {
    site.put('inventory.yaml', edited(['    user: ubuntu', '    user: ubuntu\n    port: 2222']));
    expect(problems()[0]).toContain('without a key for [192.0.2.11]:2222; expected one');
  });

  describe('of a bastion', () => {
    const withBastion = (bastion: string, ...edits: readonly (readonly [string, string])[]): void =>
      site.put('inventory.yaml', edited(['    user: ubuntu', `    bastion: ${bastion}\n    user: ubuntu`], ...edits));

    it('are those of the server where it has none of its own', () => {
      withBastion('{ host: bastion.example.org }');
      site.put('known_hosts', `192.0.2.11,bastion.example.org ${HOST_KEY}\n`);
      expect(problems()).toEqual([]);
      const { bastion, ...login } = loadInventory(site.path).servers.get('h100-01')?.ssh ?? {};
      expect(bastion).toEqual({ ...login, host: 'bastion.example.org', port: 22 });
    });

    it('are looked at where it has', () => {
      withBastion('{ host: 192.0.2.1, port: 2222, user: jump, key: file:./secrets/jump }');
      expect(problems()).toEqual([
        'inventory.yaml:24:62 defaults.ssh.bastion.key: found secrets/jump, but there is no such file; expected a file with a private key without passphrase',
        'inventory.yaml:24:22 defaults.ssh.bastion.host: found known_hosts without a key for [192.0.2.1]:2222; expected one; ssh-keyscan -p 2222 192.0.2.1 prints it, compare it at the console',
      ]);
      expect(loadInventory(site.path).servers.get('h100-01')?.ssh.bastion).toMatchObject({ port: 2222, user: 'jump' });
    });

    it('say that the server is asked for its key from there', () => {
      withBastion('{ host: bastion.example.org }');
      site.put('known_hosts', `bastion.example.org ${HOST_KEY}\n`);
      expect(problems()).toEqual([
        'inventory.yaml:27:17 defaults.ssh.knownHosts: found known_hosts without a key for 192.0.2.11; expected one; ssh-keyscan -p 22 192.0.2.11 on the bastion prints it, compare it at the console',
      ]);
    });

    it('do not matter when known_hosts is not there at all, which is said once', () => {
      withBastion('{ host: bastion.example.org }');
      rmSync(join(site.directory, 'known_hosts'));
      expect(problems()).toHaveLength(1);
    });
  });

  it('secrets in files that are not there', () => {
    site.put('inventory.yaml', edited(['env:BMC_H100_01', 'file:bmc'], ['k3s-token', 'token']));
    expect(problems()).toEqual([
      `${CREDENTIALS_AT} found bmc, but there is no such file; expected a file with user:password`,
      `${TOKEN_AT} found secrets/token, but there is no such file; expected a file with a token on one line`,
    ]);
  });

  it('secrets of another form, without repeating them', () => {
    site.put('inventory.yaml', edited(['env:BMC_H100_01', 'file:bmc']));
    site.put('bmc', `${PASSWORD}\n`);
    site.put('secrets/k3s-token', `${PASSWORD}\n${PASSWORD}\n`);
    expect(problems()).toEqual([
      `${CREDENTIALS_AT} found file:bmc with another content; expected user:password`,
      `${TOKEN_AT} found file:secrets/k3s-token with another content; expected a token on one line`,
    ]);
  });

  it.each<[string, string, () => void]>([
    ['secrets/id_ed25519', KEY_AT, () => undefined],
    ['secrets/k3s-token', TOKEN_AT, () => undefined],
    [
      'registries.yaml',
      'inventory.yaml:9:24 mirrors.registries:',
      () => {
        site.put('inventory.yaml', edited(['clusters:', 'mirrors: { registries: ./registries.yaml }\nclusters:']));
        site.put('registries.yaml', 'configs:\n  mirror.example: { auth: { username: puller, password: hunter2 } }\n');
      },
    ],
  ])('a secret that every user of the machine may read: %s', (file, where, prepare) => {
    prepare();
    chmodSync(join(site.directory, file), 0o640);
    expect(problems()).toEqual([]);
    chmodSync(join(site.directory, file), 0o644);
    expect(problems()).toEqual([
      `${where} found ${file} with mode 644, which every user of this machine may read; expected 600 (chmod 600 ${file})`,
    ]);
  });

  it('the URLs and keys of those who are told', () => {
    const notify =
      '[{ slack: file:./chat }, { webhook: file:./hook, secret: file:./key }, { slack: env:SLACK_WEBHOOK }]';
    site.put('inventory.yaml', edited(['clusters:', `notify: ${notify}\nclusters:`]));
    site.put('chat', 'https://hooks.example.org/T0/B0\n');
    site.put('hook', 'http://127.0.0.1:8080/hook');
    site.put('key', `${PASSWORD}\n`);
    expect(problems()).toEqual([]);
    expect(resolveServer(loadInventory(site.path), 'h100-01').notify).toEqual([
      { kind: 'slack', url: `file:${site.directory}/chat` },
      { kind: 'webhook', url: `file:${site.directory}/hook`, secret: `file:${site.directory}/key` },
      { kind: 'slack', url: 'env:SLACK_WEBHOOK' },
    ]);
    site.put('chat', 'hooks.example.org/T0/B0');
    site.put('hook', `https://admin:${PASSWORD}@hooks.example.org`);
    site.put('key', 'short');
    const url = 'a URL, https:// or http:// and without user';
    expect(problems()).toEqual([
      `inventory.yaml:9:19 notify[0].slack: found file:chat with another content; expected ${url}`,
      `inventory.yaml:9:45 notify[1].webhook: found file:hook with another content; expected ${url}`,
      'inventory.yaml:9:66 notify[1].secret: found file:key with another content; expected a key of at least 16 characters on one line',
    ]);
  });

  it('secrets that only the worker asks for, so that looking has no effect elsewhere', () => {
    site.put(
      'inventory.yaml',
      edited(['env:BMC_H100_01', 'command:./show bmc h100-01'], ['file:./secrets/k3s-token', 'kubernetes:a/b/c.d']),
    );
    expect(problems({ secrets: true })).toEqual([]);
    const { bmc, cluster } = resolveServer(loadInventory(site.path), 'h100-01');
    expect(bmc).toMatchObject({ credentials: `command:${site.directory}/show bmc h100-01` });
    expect(cluster.k3s.token).toBe('kubernetes:a/b/c.d');
  });

  it('a variable that is not set matters only where the secrets are, so it is checked only on request', () => {
    vi.stubEnv('BMC_H100_01', undefined);
    expect(problems({ secrets: false })).toEqual([]);
    expect(problems({ secrets: true })).toEqual([
      `${CREDENTIALS_AT} found env:BMC_H100_01, which is not set; expected user:password in it`,
    ]);
  });

  it('so does the SSH agent', () => {
    site.put('inventory.yaml', edited(['file:./secrets/id_ed25519', 'agent']));
    vi.stubEnv('SSH_AUTH_SOCK', undefined);
    expect(problems({ secrets: false })).toEqual([]);
    expect(problems({ secrets: true })).toEqual([
      `${KEY_AT} found agent, but SSH_AUTH_SOCK is not set; expected a running ssh-agent that holds the key, or a reference to a key`,
    ]);
  });

  it('a registries.yaml that is not there', () => {
    site.put('inventory.yaml', edited(['clusters:', 'mirrors: { registries: ./registries.yaml }\nclusters:']));
    expect(problems()).toEqual([
      'inventory.yaml:9:24 mirrors.registries: found registries.yaml, but there is no such file; expected a k3s registries.yaml',
    ]);
  });
});

describe('one server', () => {
  it('that the inventory does not have: the error lists those it has', () => {
    expect(() => resolveServer(loadInventory(site.path), 'h100-10')).toThrow(
      new InventoryError([
        `${site.path}:34:1 servers: found no server h100-10; expected one of h100-01 (did you mean h100-01?)`,
      ]),
    );
  });

  it('is not held up by the missing key of another', () => {
    const cluster = /  fra1-a:\n( {4}.*\n)+/.exec(EXAMPLE)?.[0] ?? '';
    const server = /  h100-01:\n( {4}.*\n)+/.exec(EXAMPLE)?.[0] ?? '';
    const another = server
      .replace('h100-01:', 'h100-02:\n    ssh: { key: file:none }')
      .replace('fra1-a', 'fra1-b')
      .replace('192.0.2.11', '192.0.2.12')
      .replace('192.0.2.111', '192.0.2.112')
      .replace('5XKQ1P3', '5XKQ1P4');
    site.put('inventory.yaml', edited([cluster, cluster + cluster.replace('fra1-a', 'fra1-b')]) + another);
    const inventory = loadInventory(site.path);
    expect(resolveServer(inventory, 'h100-01').name).toBe('h100-01');
    expect(() => resolveServer(inventory, 'h100-02')).toThrow(/found .*none, but there is no such file/);
  });

  it('in a file that is not there', () => {
    expect(site.relative(checkInventory(join(site.directory, 'none.yaml'), { secrets: false }))).toEqual([
      'none.yaml:1:1 inventory: there is no such file; expected a YAML file, see --inventory',
    ]);
  });
});
