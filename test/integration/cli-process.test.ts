/**
 * The command as a process of its own: exit codes, streams and Ctrl-C as a shell sees them.
 */
import { stripVTControlCharacters } from 'node:util';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { spawnAtTerminal } from '../../lab/tools/terminal.js';
import { connectProvision } from '../../src/client.js';
import { EXAMPLE, ExampleSite } from '../../src/inventory/example-site.js';
import { golden } from '../golden/golden.js';
import { BuiltProduct, type Ended } from '../support/built-product.js';
import { describeWith } from '../support/skip-unless.js';

const BUILD_LIMIT_MS = 120_000;
/** A dozen processes one after another, some of which wait for a worker. */
vi.setConfig({ testTimeout: 400_000 });

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

type Expected = Readonly<Record<string, number | null>>;

/** Most of them wait for somebody who does not come; more at once would miss the limits of their connections on a slow machine. */
const AT_ONCE = 3;

async function exits(expected: Expected, env: Record<string, string>): Promise<Expected> {
  const lines = Object.keys(expected);
  const ended: (readonly [line: string, exit: number | null])[] = [];
  const oneAfterAnother = async (): Promise<void> => {
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      const { exit, err } = await program('main', line.split(' '), env, (said, kill) => {
        if (said.includes(' contact no-worker ')) kill('SIGINT');
      });
      // A bug has a trace, and would be taken for an answer where only the code is looked at.
      expect(err, line).not.toContain('this is a bug');
      ended.push([line, exit]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, oneAfterAnother));
  return Object.fromEntries(ended);
}

const DECISIONS = ['approve NAME --digest 7f3a-91c2', 'reject NAME', 'resume NAME', 'cancel NAME --confirm NAME'];
const of = (name: string, line: string): string => line.replaceAll('NAME', name);

describe('exit codes are those of the table', () => {
  it('when Temporal is down', async () => {
    const onServer = ['status NAME', 'watch NAME', ...DECISIONS, 'plan NAME', 'start NAME --detach', 'start NAME'];
    const others = ['list', 'doctor', 'set-current-version --deployment workers --build-id 2'];
    const lines = [...onServer.map((line) => of('h100-01', line)), ...others];
    const expected = Object.fromEntries(lines.map((line) => [line, 8]));
    expect(await exits(expected, { TEMPORAL_ADDRESS: '127.0.0.1:1' })).toEqual(expected);
  });

  it('when no worker is there, and status shows what is known all the same', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address };
    await program('main', ['start', 'h100-01', '--detach', '--attach'], env);
    const expected: Expected = {
      'status h100-01': 8,
      'watch h100-01': 130,
      'approve h100-01 --digest 7f3a-91c2': 8,
      'reject h100-01': 8,
      'resume h100-01': 8,
      'cancel h100-01 --confirm h100-01': 0,
      'plan h100-01': 8,
      'start h100-01 --detach': 9,
      'start h100-01 --detach --attach': 0,
      list: 0,
      doctor: 8,
      // Temporal knows no such version before one of its workers polled.
      'set-current-version --deployment workers --build-id 2': 7,
    };
    expect(await exits(expected, env)).toEqual(expected);
    const { out } = await program('main', ['status', 'h100-01'], env);
    expect(out).toContain('NO WORKER on queue provision');
    expect(out).toContain('last known: not begun');
  });

  it('when there is no such run or no such server', async () => {
    const lines = [
      'status NAME',
      'watch NAME',
      ...DECISIONS,
      'plan NAME',
      'start NAME --detach',
      'preflight NAME',
      'doctor NAME',
    ];
    const expected = Object.fromEntries(lines.map((line) => [of('h100-99', line), 2]));
    expect(await exits(expected, { TEMPORAL_ADDRESS: temporal.address })).toEqual(expected);
  });
});

describeWith('at a terminal', ['script', 'stty'], 'bsdutils coreutils', () => {
  const DOWN = { TEMPORAL_ADDRESS: '127.0.0.1:1', TERM: 'xterm' };

  /** What a terminal of that width gets of `gpu-provision WORDS` in the folder of the inventory. */
  function atTerminal(columns: number, words: string, env: Record<string, string>): Promise<string> {
    const command = `${process.execPath} ${product.path('src/cli/main.js')} ${words}`;
    const size = { columns, rows: 50 };
    const child = spawnAtTerminal(command, size, { cwd: site.directory, env: { PATH: process.env['PATH'], ...env } });
    let said = '';
    child.stdout.on('data', (bytes) => (said += String(bytes)));
    return new Promise((resolve, reject) => {
      child.on('error', reject).on('close', () => resolve(said.replaceAll('\r\n', '\n')));
    });
  }

  it('doctor fits into 60, 80 and 120 columns', async () => {
    const texts = await Promise.all(
      [60, 80, 120].map((columns) => atTerminal(columns, 'doctor', { ...DOWN, NO_COLOR: '1' })),
    );
    for (const [n, columns] of [60, 80, 120].entries())
      expect(texts[n]?.split('\n').filter((line) => line.length > columns)).toEqual([]);
    const all = texts.join(`${'='.repeat(60)}\n`);
    expect(all).toBe(golden('terminal-doctor', all));
  });

  it('has no colours in what goes on through a pipe, though a person sees the rest', async () => {
    expect(await atTerminal(80, 'doctor | cat', DOWN)).not.toContain('\u001b');
  });

  it('colours say nothing that the words do not, and go away with NO_COLOR, a dumb terminal and in pipes', async () => {
    const [coloured, ...plain] = await Promise.all([
      atTerminal(80, 'doctor', DOWN),
      atTerminal(80, 'doctor', { ...DOWN, NO_COLOR: '1' }),
      atTerminal(80, 'doctor', { ...DOWN, TERM: 'dumb' }),
    ]);
    expect(coloured).toContain('\u001b[31mFAIL\u001b[39m');
    expect(plain).toEqual([stripVTControlCharacters(coloured), stripVTControlCharacters(coloured)]);
    const { out, err } = await program('main', ['doctor'], DOWN);
    expect(out + err).not.toContain('\u001b');
  });
});
