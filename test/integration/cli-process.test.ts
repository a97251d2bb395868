/**
 * The command as a process of its own: exit codes, streams and Ctrl-C as a shell sees them.
 */
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { connectProvision } from '../../src/client.js';
import { EXAMPLE, ExampleSite } from '../../src/inventory/example-site.js';
import { BuiltProduct, type Ended } from '../support/built-product.js';

const BUILD_LIMIT_MS = 120_000;

const site = new ExampleSite();
let temporal: TemporalServer;
let product: BuiltProduct;

beforeAll(async () => {
  site.put('secrets/id_ed25519', ssh2.utils.generateKeyPairSync('ed25519').private);
  site.put('secrets/k3s-token', 'token\n');
  site.put('known_hosts', `192.0.2.11 ${ssh2.utils.generateKeyPairSync('ed25519').public.trim()}\n`);
  site.put('inventory.yaml', EXAMPLE);
  [temporal, product] = await Promise.all([startTemporal(), BuiltProduct.build({ bundles: false })]);
}, BUILD_LIMIT_MS);
afterAll(async () => {
  site.remove();
  await temporal.stop();
  await product.remove();
});

type OnLine = Parameters<BuiltProduct['command']>[3];

function program(
  name: 'main' | 'start-provision',
  words: readonly string[],
  env: Record<string, string>,
  onLine?: OnLine,
): Promise<Ended> {
  return product.command(name, words, { GPU_PROVISION_INVENTORY: site.path, ...env }, onLine);
}

describe('start-provision', () => {
  it('refuses an unknown server with 2 and nothing on stdout', async () => {
    const { exit, out, err } = await program('start-provision', ['--server', 'h100-1'], {});
    expect({ exit, out }).toEqual({ exit: 2, out: '' });
    expect(err).toContain('found no server h100-1; expected one of h100-01');
  });

  it('ends with 8 when there is no Temporal', async () => {
    const { exit, out, err } = await program('start-provision', ['--server', 'h100-01'], {
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
    expect({ exit, out }).toEqual({ exit: 8, out: '' });
    expect(err).toContain("Temporal at 127.0.0.1:1 can't be reached");
  });

  it('is left with Ctrl-C, and the run goes on', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address };
    const left = await program('start-provision', ['--server', 'h100-01'], env, (line, kill) => {
      if (line.includes(' contact no-worker ')) kill('SIGINT');
    });
    expect(left.exit).toBe(130);
    expect(left.err).toContain('left; the run goes on. Look again: gpu-provision watch h100-01');
    const client = await connectProvision({ address: temporal.address, env: {} });
    expect((await client.status('h100-01')).workflow).toBe('running');
    await client.close();

    const again = await program('start-provision', ['--server', 'h100-01'], env);
    expect(again.exit).toBe(9);
    expect(again.err).toContain('there is a run of h100-01 already');
  });
});

describe('gpu-provision', () => {
  it('shows its commands without being asked to connect anywhere', async () => {
    const { exit, out } = await program('main', ['--help'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(exit).toBe(0);
    for (const verb of [
      'start',
      'plan',
      'status',
      'report',
      'watch',
      'approve',
      'reject',
      'resume',
      'cancel',
      'worker',
      'codec-server',
      'inventory',
    ]) {
      expect(out).toContain(`  ${verb} `);
    }
  });
});
