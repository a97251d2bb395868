/**
 * Commands that look at a server by themselves: over real SSH to a simulated host, with no Temporal anywhere.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { recordedIo, type RecordedIo } from '../../test/golden/scripted-client.js';
import { startRackSite, type RackSite } from '../../test/support/rack-site.js';
import { CHECKS } from '../domain/preflight/checks.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

/** A host is read with some hundred commands. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let rack: RackSite;
beforeAll(async () => {
  rack = await startRackSite();
});
afterAll(() => rack.close());

async function cli(line: string): Promise<{ exit: number; io: RecordedIo }> {
  const io = recordedIo({ env: { GPU_PROVISION_INVENTORY: rack.site.path, TEMPORAL_ADDRESS: '127.0.0.1:1' } });
  return { exit: await runCli(gpuProvision, line.split(' '), io), io };
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
    const pinned = rack.rack.knownHosts;
    rack.site.put('known_hosts', `${pinned.replace(/AAAA\S+/, OTHER_KEY)}\n`);
    try {
      const { exit, io } = await cli('preflight h100-01');
      expect({ exit, out: io.out() }).toEqual({ exit: 7, out: '' });
      expect(io.err()).toMatch(
        /shows another key than the pinned one\. It shows ssh-ed25519 SHA256:\S+; pinned .*SHA256:/,
      );
    } finally {
      rack.site.put('known_hosts', `${pinned}\n`);
    }
  });
});

const OTHER_KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIFakefakefakefakefakefakefakefakefakefakefak0';
