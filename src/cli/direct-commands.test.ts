/**
 * Commands that look at a server by themselves: over real SSH to a simulated host, with no Temporal anywhere.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startBmc } from '../../lab/rack/bmc/index.js';
import { DATA_DISK } from '../../lab/rack/options.js';
import { recordedIo, type RecordedIo, type Script, scriptedClient } from '../../test/golden/scripted-client.js';
import { startRackSite, type RackSite } from '../../test/support/rack-site.js';
import { ClientError } from '../client.js';
import { CHECKS } from '../domain/preflight/checks.js';
import { FAILURES } from '../domain/run/failures.js';
import { ExampleSite } from '../inventory/example-site.js';
import { checkInventory, loadInventory } from '../inventory/index.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

/** A host is read with some hundred commands. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const USED_DISK = { ...DATA_DISK, name: 'nvme2n1', id: 'nvme-USED', serial: 'USED1', holds: 'ext4' };

let rack: RackSite;
beforeAll(async () => {
  rack = await startRackSite({ host: { disks: [DATA_DISK, USED_DISK] } });
});
afterAll(() => rack.close());

/** Without a script there is no Temporal. */
async function cli(line: string, script?: Script): Promise<{ exit: number; io: RecordedIo }> {
  const io = recordedIo({ env: { GPU_PROVISION_INVENTORY: rack.site.path, TEMPORAL_ADDRESS: '127.0.0.1:1' } });
  const connect = script === undefined ? undefined : async () => scriptedClient(script);
  return { exit: await runCli(gpuProvision, line.split(' '), io, connect), io };
}

async function withOtherKey(use: () => Promise<void>): Promise<void> {
  const pinned = rack.rack.knownHosts;
  rack.site.put('known_hosts', `${pinned.replace(/AAAA\S+/, OTHER_KEY)}\n`);
  try {
    await use();
  } finally {
    rack.site.put('known_hosts', `${pinned}\n`);
  }
}

describe('preflight', () => {
  it('shows every check of a good host and ends with 0', async () => {
    const before = rack.host.snapshot(['/etc', '/boot', '/var/lib']);
    const { exit, io } = await cli('preflight h100-01');
    expect(io.out()).toContain(`PREFLIGHT  ${CHECKS.length} checks: `);
    for (const { id } of CHECKS) expect(io.out()).toContain(` ${id} `);
    expect(exit).toBe(0);
    expect(rack.host.snapshot(['/etc', '/boot', '/var/lib'])).toEqual(before);
  });

  it('ends with 7 when a check blocks, and says which and what to do', async () => {
    rack.host.startWorkload({ kind: 'qemu', command: 'qemu-system-x86_64 -name db-0 -m 4096' });
    try {
      const { exit, io } = await cli('preflight h100-01 --json');
      const report = JSON.parse(io.out()) as {
        blocked: boolean;
        exit: number;
        checks: { severity: string; remedy: string }[];
      };
      expect(exit).toBe(7);
      expect(report).toMatchObject({ exit: 7, blocked: true, server: 'h100-01' });
      const blocking = report.checks.filter(({ severity }) => severity === 'block');
      expect(blocking).not.toEqual([]);
      for (const { remedy } of blocking) expect(remedy).not.toBe('');
    } finally {
      rack.host.stopWorkloads();
    }
  });

  it('ends with 7 and both fingerprints where the host shows another key than the pinned one', async () => {
    await withOtherKey(async () => {
      const { exit, io } = await cli('preflight h100-01');
      expect({ exit, out: io.out() }).toEqual({ exit: 7, out: '' });
      expect(io.err()).toMatch(
        /shows another key than the pinned one\. It shows ssh-ed25519 SHA256:\S+; pinned .*SHA256:/,
      );
    });
  });
});

describe('doctor', () => {
  const diagnoses = (io: RecordedIo): Record<string, { severity: string; text: string; remedy: string }> => {
    const { checks } = JSON.parse(io.out()) as {
      checks: { id: string; severity: string; text: string; remedy: string }[];
    };
    return Object.fromEntries(checks.map((check) => [check.id, check]));
  };

  it('says what is there and what is not where Temporal is down, and ends with 8', async () => {
    const { exit, io } = await cli('doctor h100-01');
    expect(exit).toBe(8);
    expect(io.out()).toMatch(/FAIL {2}temporal\.connection +Temporal at 127\.0\.0\.1:1 can't be reached/);
    for (const id of ['inventory', 'secrets', 'ssh.login', 'host.clock', 'bmc.login'])
      expect(io.out()).toContain(`\n  ok    ${id} `);
    expect(io.out()).toMatch(/1 check fails\. +exit 8\n$/);
  });

  it.each([
    [{ workers: 0 }, 8, 'worker.site', 'gpu-provision worker --site fra1'],
    [{ missingAttributes: ['ProvisionGate'] }, 8, 'temporal.search-attributes', '--name ProvisionGate --type Keyword'],
    [
      { fails: { health: new ClientError('unreachable', 'no namespace x') } },
      8,
      'temporal.connection',
      'runs are unaffected',
    ],
    [
      { currentVersion: { deployment: 'site', buildId: '0.0.9-abc' } },
      0,
      'worker.version',
      'set-current-version --deployment site',
    ],
  ] as const)('of Temporal and workers: %j', async (script, code, id, remedy) => {
    const { exit, io } = await cli('doctor --json', script);
    expect(exit).toBe(code);
    expect(diagnoses(io)[id]?.severity).toBe(code === 0 ? 'warn' : 'block');
    expect(diagnoses(io)[id]?.remedy).toContain(remedy);
  });

  it('of the server: another host key, a BMC of another machine', async () => {
    const credentials = { user: 'admin', password: 'rack-only' };
    const power = { state: () => 'on' as const, on() {}, off() {}, cycle() {}, gracefulRestart() {} };
    const bmc = await startBmc({ serial: 'ANOTHER1', model: 'Simulated HGX H100', credentials, power });
    const text = readFileSync(rack.site.path, 'utf8');
    try {
      rack.site.put('secrets/bmc', 'admin:rack-only');
      const entry = `{ redfish: '${bmc.url}', tls: '${bmc.tlsFingerprint}', credentials: file:./secrets/bmc }`;
      rack.site.put('inventory.yaml', text.replace('bmc: none', `bmc: ${entry}`));
      await withOtherKey(async () => {
        const { exit, io } = await cli('doctor h100-01 --json', {});
        expect(exit).toBe(7);
        expect(diagnoses(io)['ssh.login']).toMatchObject({ severity: 'block', remedy: FAILURES.HostKeyChanged.advice });
        expect(diagnoses(io)['bmc.login']).toMatchObject({ severity: 'block' });
        expect(diagnoses(io)['bmc.login']?.text).toMatch(/serial SIM-H100-01 .*serial ANOTHER1/);
        expect(diagnoses(io)['secrets']?.severity).toBe('ok');
      });
    } finally {
      rack.site.put('inventory.yaml', text);
      await bmc.close();
    }
  });

  it('of the inventory: a key that everybody may read', async () => {
    const key = join(rack.site.directory, 'secrets/id_ed25519');
    chmodSync(key, 0o644);
    try {
      const { exit, io } = await cli('doctor h100-01 --json', {});
      expect(exit).toBe(2);
      expect(diagnoses(io)['inventory']?.text).toContain('with mode 644, which every user of this machine may read');
      expect(diagnoses(io)['secrets']).toMatchObject({ severity: 'warn', remedy: 'chmod 600' });
      expect(diagnoses(io)['ssh.login']).toMatchObject({ severity: 'ok' });
    } finally {
      chmodSync(key, 0o600);
    }
  });
});

describe('inventory discover', () => {
  const { directory } = new ExampleSite();
  afterAll(() => rmSync(directory, { recursive: true }));

  it('prints an entry that passes the check where it is pasted, and finds GPUs, disks and serial', async () => {
    const before = rack.host.snapshot(['/etc', '/boot', '/var/lib']);
    const { host, port } = rack.host.ssh;
    const { exit, io } = await cli(`inventory discover ${host} --port ${port} --name h100-02`);
    expect(exit).toBe(0);
    expect(rack.host.snapshot(['/etc', '/boot', '/var/lib'])).toEqual(before);
    const text = readFileSync(rack.site.path, 'utf8');
    const [head = ''] = text.split('  h100-01:\n');
    const path = join(rack.site.directory, 'discovered.yaml');
    writeFileSync(path, head + io.out());
    expect(checkInventory(path, { secrets: true })).toEqual([]);
    const [spec] = loadInventory(path).servers.values();
    const example = loadInventory(rack.site.path).servers.get('h100-01');
    expect(spec).toMatchObject({
      name: 'h100-02',
      serial: rack.host.serial,
      gpus: example?.gpus,
      disks: example?.disks,
      ssh: example?.ssh,
      cluster: { name: 'fra1-a' },
    });
    expect(io.out()).toContain('    # not a disk for storage: /dev/disk/by-id/nvme-USED is not empty: ext4\n');
    expect(io.out()).toContain('# you: nodeIP');
  });

  it('shows the fingerprint of a key that is not pinned, and does not log in', async () => {
    const { host, port } = rack.host.ssh;
    const commands = rack.host.commands().length;
    const pins = join(directory, 'known_hosts');
    const { exit, io } = await cli(`inventory discover ${host} --port ${port} --known-hosts ${pins}`);
    expect({ exit, out: io.out() }).toEqual({ exit: 7, out: '' });
    expect(io.err()).toMatch(/no key of this host is pinned\. It shows ssh-ed25519 SHA256:\S+;.*check its fingerprint/);
    expect(rack.host.commands()).toHaveLength(commands);
  });

  it.each([
    ['h100-01', /h100-01: expected an IP address/],
    ['192.0.2.11 --port 0', /--port 0: expected a TCP port/],
    ['192.0.2.11 --key secret', /--key: expected agent, or a reference/],
    ['192.0.2.11 --inventory /nowhere.yaml', /there is no such file/],
  ])('%s is bad input', async (words, message) => {
    const { exit, io } = await cli(`inventory discover ${words}`);
    expect({ exit, out: io.out() }).toEqual({ exit: 2, out: '' });
    expect(io.err()).toMatch(message);
  });
});

const OTHER_KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIFakefakefakefakefakefakefakefakefakefakefak0';
