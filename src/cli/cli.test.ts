import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preview } from '../../test/golden/preview.js';
import { at, atGate, endings, fellBack, listed, noWorker, run, view, waiting } from '../../test/golden/runs.js';
import {
  keyboard,
  type RecordedIo,
  recordedIo,
  type Script,
  scriptedClient,
  type ScriptedClient,
} from '../../test/golden/scripted-client.js';
import { asProvisioned, drifted, heldByRun } from '../../test/golden/verify.js';
import { ClientError } from '../client.js';
import { OUTCOMES } from '../domain/run/outcomes.js';
import { PHASE_NAMES } from '../domain/run/phases.js';
import { VERIFIED_PHASES } from '../domain/verify.js';
import { EXAMPLE, ExampleSite } from '../inventory/example-site.js';
import { gpuProvision, startProvision } from './program.js';
import { runCli } from './run-cli.js';

const site = new ExampleSite();
beforeAll(() => {
  const { generateKeyPairSync } = ssh2.utils;
  site.put('secrets/id_ed25519', generateKeyPairSync('ed25519').private);
  site.put('secrets/k3s-token', 'token\n');
  site.put('known_hosts', `192.0.2.11 ${generateKeyPairSync('ed25519').public.trim()}\n`);
  site.put('inventory.yaml', EXAMPLE);
});
afterAll(() => site.remove());

interface Ran {
  readonly exit: number;
  readonly io: RecordedIo;
  readonly client: ScriptedClient;
  readonly connections: number;
}

async function cli(
  line: string,
  script: Script = {},
  io: RecordedIo = recordedIo({ env: inventoryEnv() }),
): Promise<Ran> {
  const [name, ...words] = line.split(' ');
  const client = scriptedClient(script);
  let connections = 0;
  const program = name === 'start-provision' ? startProvision : gpuProvision;
  const exit = await runCli(program, words, io, async () => {
    connections += 1;
    return client;
  });
  return { exit, io, client, connections };
}

const inventoryEnv = (): Record<string, string> => ({ GPU_PROVISION_INVENTORY: site.path });
const START = 'start-provision --server h100-01';

describe('bad input ends with 2, says what would be right, and never reaches Temporal', () => {
  const cases: readonly (readonly [line: string, message: RegExp])[] = [
    ['start-provision', /required option '--server <name>' not specified/],
    ['start-provision --server h100-1', /found no server h100-1; expected one of h100-01 \(did you mean h100-01\?\)/],
    [`${START} --inventory /nowhere/inventory.yaml`, /\/nowhere\/inventory\.yaml.*there is no such file/],
    [
      `${START} --phases preflight,cozystak`,
      /--phases: there is no phase "cozystak"; expected some of preflight,.*mean cozystack/,
    ],
    [`${START} --phases `, /--phases: there is no phase ""/],
    [`${START} --frobnicate`, /unknown option '--frobnicate'/],
    [`${START} --diff some`, /Allowed choices are all/],
    ['gpu-provision', /Usage: gpu-provision/],
    ['gpu-provision aprove h100-01', /unknown command 'aprove'/],
    ['gpu-provision status', /missing required argument 'server'/],
    ['gpu-provision report', /missing required argument 'server'/],
    [
      'gpu-provision worker --site fra1 --artifacts here',
      /^artifacts cannot be kept in here: expected an absolute path or s3:\/\/BUCKET\/PREFIX/,
    ],
    [
      'gpu-provision worker --site fra1 --artifacts s3://bucket',
      /^s3:\/\/bucket needs the environment variable AWS_ACCESS_KEY_ID/,
    ],
    [
      'gpu-provision worker --site fra1 --audit here.jsonl',
      /^--audit here\.jsonl: expected the absolute path of a file, e\.g\. \S+, or off/,
    ],
    ['gpu-provision status h100-01 h100-02', /too many arguments/],
    ['gpu-provision approve h100-01', /--digest is missing: review the plan \(gpu-provision status h100-01\)/],
    ['gpu-provision cancel h100-01 --confirm h100-02', /--confirm h100-02 is not the server's name, h100-01/],
    ['gpu-provision verify h100-01 --phases preflight', /there is no phase "preflight"; expected some of node-prep/],
    ['gpu-provision verify h100-01 --schedule daily', /--schedule: "daily" is no interval; expected 10m or longer/],
    ['gpu-provision verify h100-01 --schedule 60s', /--schedule: "60s" is no interval; expected 10m or longer/],
    ['gpu-provision verify h100-01 --schedule 24h --unschedule', /--schedule and --unschedule: give one of them/],
    ['gpu-provision inventory check /nowhere/inventory.yaml', /there is no such file/],
    ['gpu-provision set-current-version', /required option '--deployment <name>' not specified/],
    [
      'gpu-provision worker --host-changes 0',
      /--host-changes 0: expected a whole number from 1 to 1000, changes to hosts/,
    ],
    ['gpu-provision worker --watches many', /--watches many: expected a whole number from 1 to 10000/],
    ['gpu-provision worker --grace-seconds 1.5', /--grace-seconds 1\.5: expected a whole number from 0 to 3600/],
    ['gpu-provision worker --metrics localhost:9464', /--metrics .*localhost:9464: expected an IP address and a port/],
    ['gpu-provision worker --metrics 127.0.0.1:0', /--metrics .*127\.0\.0\.1:0: expected an IP address and a port/],
    ['gpu-provision worker --log-format xml', /Allowed choices are json, text/],
    ['gpu-provision codec-server --port 65536', /--port 65536: expected a TCP port/],
    [
      'gpu-provision codec-server --origin http://ui/path',
      /--origin http:\/\/ui\/path: expected scheme, host and port/,
    ],
    [
      'gpu-provision codec-server --token hunter2',
      /--token: found a text that is not shown here; expected a reference/,
    ],
    ['gpu-provision codec-server --token env:NOWHERE', /--token: the secret env:NOWHERE is not set/],
    ['gpu-provision codec-server --host 0.0.0.0', /--host 0\.0\.0\.0 is reached from other machines/],
    ['gpu-provision codec-server', /GPU_PROVISION_CODEC_KEYS is not set: there are no keys/],
  ];

  it.each(cases)('%s', async (line, message) => {
    const { exit, io, connections } = await cli(line);
    expect(io.err()).toMatch(message);
    expect({ exit, connections, out: io.out() }).toEqual({ exit: 2, connections: 0, out: '' });
  });

  it('reads ./inventory.yaml where nothing names another', async () => {
    const { exit, io } = await cli(START, {}, recordedIo());
    expect(io.err()).toContain('./inventory.yaml');
    expect(exit).toBe(2);
  });
});

describe('set-current-version', () => {
  it('makes the named version current, and says what that means for runs under way', async () => {
    const { exit, io, client } = await cli('gpu-provision set-current-version --deployment workers --build-id 2');
    expect(exit).toBe(0);
    expect(client.current).toBe('workers 2');
    expect(io.out()).toContain('new runs go to version 2 of workers; runs under way stay with their version');
  });
});

describe('verify', () => {
  const cases = [
    { report: asProvisioned, exit: 0, says: 'AS PROVISIONED  h100-01' },
    { report: drifted, exit: 10, says: 'apt-get purge linux-image-6.8.0-62-generic' },
    { report: heldByRun, exit: 9, says: 'run 0197c1d2-5d1e holds the host' },
  ];

  it.each(cases)('that finds $report.verdict ends with $exit', async ({ report, exit, says }) => {
    const shown = await cli('gpu-provision verify h100-01', { verified: report });
    expect(shown.exit).toBe(exit);
    expect(shown.io.out()).toContain(says);
    expect(shown.client.verified).toMatchObject([{ spec: { name: 'h100-01' }, phases: VERIFIED_PHASES }]);
    const json = await cli('gpu-provision verify h100-01 --phases gpu-isolation,k3s --json', { verified: report });
    expect(json.client.verified).toMatchObject([{ phases: ['k3s', 'gpu-isolation'] }]);
    expect(JSON.parse(json.io.out())).toEqual({ ...report, exit });
  });

  it('is put on a schedule, and taken off it', async () => {
    const { exit, io, client } = await cli('gpu-provision verify h100-01 --schedule 24h');
    expect(exit).toBe(0);
    expect(client.schedules).toEqual(new Map([['h100-01', 86_400]]));
    expect(client.verified).toEqual([]);
    expect(io.out()).toContain('h100-01 is verified every 1 d, next Sun 29 Nov 00:00Z');
    const off = await cli('gpu-provision verify h100-01 --unschedule');
    expect({ exit: off.exit, error: off.io.err() }).toEqual({
      exit: 2,
      error: 'there is no schedule verify/h100-01\n',
    });
  });
});

describe('decommission', () => {
  it('starts a run under the id of provisioning, and stays with it', async () => {
    const [status, workflow] = endings['decommissioned']!;
    const views = [view(status, at('16:10:00'), { workflow })];
    const { exit, io, client } = await cli('gpu-provision decommission h100-01 --reason CHG-9', { views });
    expect(exit).toBe(0);
    expect(client.day2).toMatchObject([
      { purpose: 'decommission', input: { spec: { name: 'h100-01' }, reason: 'CHG-9' } },
    ]);
    expect(io.err()).toContain('started: provision/h100-01 run-1');
    expect(io.out()).toContain('DECOMMISSIONED  h100-01');
  });
});

describe('reboot', () => {
  it('starts a run under the id of provisioning, and its exit code is that of the outcome', async () => {
    const [status, workflow] = endings['rebooted']!;
    const views = [view(status, at('16:10:00'), { workflow })];
    const { exit, io, client } = await cli('gpu-provision reboot h100-01 --reason CHG-9', { views });
    expect(exit).toBe(0);
    expect(client.day2).toMatchObject([{ purpose: 'reboot', input: { spec: { name: 'h100-01' }, reason: 'CHG-9' } }]);
    expect(io.err()).toContain('started: provision/h100-01 run-1');
    expect(io.out()).toContain('REBOOTED  h100-01');
  });
});

describe('upgrade-kernel', () => {
  const ROWS = [
    { ending: 'upgraded', exit: 0, says: 'UPGRADED  h100-01' },
    { ending: 'upgrade-restored', exit: 3, says: 'RESTORED  h100-01' },
  ] as const;
  it.each(ROWS)('starts a run whose exit code is that of its outcome: $ending', async ({ ending, exit, says }) => {
    const [status, workflow] = endings[ending]!;
    const views = [view(status, at('16:10:00'), { workflow })];
    const ended = await cli('gpu-provision upgrade-kernel h100-01 --reason CHG-9', { views });
    expect(ended.exit).toBe(exit);
    expect(ended.client.day2).toMatchObject([{ purpose: 'upgrade-kernel', input: { reason: 'CHG-9' } }]);
    expect(ended.io.out()).toContain(says);
  });
});

describe('help', () => {
  it('is no error, and names the exit codes', async () => {
    const { exit, io } = await cli('gpu-provision --help');
    expect(exit).toBe(0);
    expect(io.out()).toContain('8 Temporal or worker unreachable');
  });
});

describe('without Temporal', () => {
  const lines = [
    START,
    `${START} --dry-run`,
    'gpu-provision status h100-01',
    'gpu-provision approve h100-01 --digest 7f3a-91c2',
  ];

  it('every command that needs it ends with 8 within seconds and says where it looked', async () => {
    // All at once, because each waits for the whole limit of a connection.
    const ran = await Promise.all(
      lines.map(async (line) => {
        const io = recordedIo({ env: { TEMPORAL_ADDRESS: '127.0.0.1:1', ...inventoryEnv() } });
        const [name, ...words] = line.split(' ');
        const exit = await runCli(name === 'start-provision' ? startProvision : gpuProvision, words, io);
        return { line, exit, error: io.err().trimEnd().split('\n').at(-1) };
      }),
    );
    const error: unknown = expect.stringMatching(/^Temporal at 127\.0\.0\.1:1 can't be reached .*Runs are unaffected/);
    expect(ran).toEqual(lines.map((line) => ({ line, exit: 8, error })));
  });

  it('keys for payloads that cannot be used are named before anything is asked', async () => {
    const io = recordedIo({ env: { GPU_PROVISION_CODEC_KEYS: 'file:/nowhere/keys', ...inventoryEnv() } });
    expect(await runCli(startProvision, ['--server', 'h100-01'], io)).toBe(2);
    expect(io.err()).toBe(
      'GPU_PROVISION_CODEC_KEYS: the secret file:/nowhere/keys cannot be read: there is no such file\n',
    );
  });

  it('a broken Temporal configuration is named', async () => {
    const io = recordedIo({
      env: { TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml', TEMPORAL_PROFILE: 'fra1', ...inventoryEnv() },
    });
    expect(await runCli(startProvision, ['--server', 'h100-01'], io)).toBe(8);
    expect(io.err()).toMatch(/^Temporal's environment variables or temporal\.toml can't be used: .*fra1/);
  });
});

describe('start', () => {
  const ended = (name: string): Script => {
    const [status, workflow] = endings[name]!;
    return {
      views: [view(atGate, at('14:32:00')), view(waiting, at('14:48:47')), view(status, at('16:10:00'), { workflow })],
    };
  };

  it.each(Object.keys(endings))('stays until the run is over and exits with its code: %s', async (name) => {
    const { exit, io, client } = await cli(START, ended(name));
    expect(exit).toBe(OUTCOMES[endings[name]![0].outcome!].exit);
    const title = name
      .replace(/^upgrade-/, '')
      .toUpperCase()
      .replace('-', ' ');
    expect(io.out()).toMatch(new RegExp(`^${title} {2}h100-01 .* exit ${exit}\n`, 's'));
    expect(client.closed).toBe(true);
  });

  it('gives the run the resolved server, every phase, who and why', async () => {
    const { client } = await cli(`${START} --reason CHG-4711`, ended('provisioned'));
    expect(client.started).toHaveLength(1);
    expect(client.started[0]?.input).toMatchObject({
      spec: { name: 'h100-01', site: 'fra1', serial: '5XKQ1P3' },
      phases: PHASE_NAMES,
      startedBy: 'op-a@ops1',
      reason: 'CHG-4711',
    });
  });

  it('takes phases in any order and runs them in theirs', async () => {
    const { client } = await cli(`${START} --phases gpu-isolation,preflight`, ended('provisioned'));
    expect(client.started[0]?.input.phases).toEqual(['preflight', 'gpu-isolation']);
  });

  it('writes every event once, one a line, to stderr', async () => {
    const { io } = await cli(START, ended('restored'));
    const lines = io
      .err()
      .split('\n')
      .filter((line) => line.startsWith('2026-'));
    expect(lines.map((line) => line.split(' ').slice(0, 5).join(' '))).toEqual([
      '2026-11-24T14:31:40Z h100-01 4/8 gpu-isolation gate=reboot',
      '2026-11-24T14:40:02Z h100-01 4/8 gpu-isolation decision',
      '2026-11-24T14:40:05Z h100-01 4/8 gpu-isolation reboot',
      '2026-11-24T14:41:10Z h100-01 4/8 gpu-isolation left',
    ]);
    expect(lines[0]).toContain('approve="gpu-provision approve h100-01 --digest 7f3a-91c2"');
  });

  it('prints with --json one object on stdout and JSON lines on stderr', async () => {
    const { io } = await cli(`${START} --json`, ended('restored'));
    expect(JSON.parse(io.out())).toMatchObject({ server: 'h100-01', outcome: 'restored', exit: 3, workflow: 'failed' });
    const events = io
      .err()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { kind: string });
    expect(events.map(({ kind }) => kind)).toEqual(['message', 'gate', 'decision', 'reboot', 'left']);
  });

  it('returns at once with --detach, and warns when no worker is there', async () => {
    const { exit, io } = await cli(`${START} --detach`, { workers: 0 });
    expect(exit).toBe(0);
    expect(io.out()).toBe('gpu-provision watch h100-01\n');
    expect(io.err()).toContain('no worker polls provision');
  });

  it('says that a run is under way, unless it may join it', async () => {
    const fails = { start: new ClientError('already-running', 'there is a run of h100-01 already') };
    const refused = await cli(START, { fails });
    expect(refused.exit).toBe(9);
    expect(refused.io.err()).toContain('already');
    const joined = await cli(`${START} --attach`, ended('provisioned'));
    expect(joined.client.started[0]?.attach).toBe(true);
    expect(joined.io.err()).toContain('joined the run that is under way: provision/h100-01');
  });

  it('leaves the run alone when it is left', async () => {
    const io = recordedIo({ env: inventoryEnv() });
    const script: Script = {
      ...ended('provisioned'),
      beforeSighting: async (index) => (index === 1 ? io.abort() : undefined),
    };
    const { exit, client } = await cli(START, script, io);
    expect(exit).toBe(130);
    expect(io.err()).toContain('left; the run goes on. Look again: gpu-provision watch h100-01');
    expect(client.cancelled).toEqual([]);
  });

  it('says when the worker goes away and comes back', async () => {
    const views = [
      view(waiting, at('14:48:47')),
      view(waiting, at('14:48:49'), { contact: noWorker(at('14:48:47')) }),
      view(fellBack, at('15:24:00')),
    ];
    const { io } = await cli(START, { views });
    expect(io.err()).toContain('2026-11-24T14:48:49Z h100-01 - - contact no-worker queue=provision\n');
    expect(io.err()).toContain('2026-11-24T15:24:00Z h100-01 - - contact ok\n');
  });
});

describe('plan', () => {
  it('prints what a run would do, and exits with 7 when a check blocks', async () => {
    const { exit, io, client } = await cli('gpu-provision plan h100-01', { preview });
    expect(exit).toBe(7);
    expect(io.out()).toContain('1 check blocks. Nothing was changed.');
    expect(client.started).toEqual([]);
  });

  it('is what start --dry-run does, and exits with 0 when nothing blocks', async () => {
    const free = { ...preview, checks: preview.checks.filter(({ severity }) => severity !== 'block') };
    const { exit, io, client } = await cli(`${START} --dry-run --json`, { preview: free });
    expect(exit).toBe(0);
    expect(JSON.parse(io.out())).toMatchObject({ blocked: false, exit: 0, changes: preview.changes });
    expect(client.started).toEqual([]);
  });
});

describe('status', () => {
  it('is one look, and 0 however the run ended', async () => {
    const [status, workflow] = endings['restored']!;
    const { exit, io } = await cli('gpu-provision status h100-01', {
      views: [view(status, at('16:10:00'), { workflow })],
    });
    expect(exit).toBe(0);
    expect(io.out()).toContain('RESTORED  h100-01');
    expect(io.err()).toBe('');
  });

  it('ends with 8 when nobody is at work on the run', async () => {
    const { exit, io } = await cli('gpu-provision status h100-01', {
      views: [view(null, at('14:58:13'), { contact: noWorker(null) })],
    });
    expect(exit).toBe(8);
    expect(io.out()).toContain('NO WORKER on queue provision');
  });

  it('ends with 2 for a server without a run', async () => {
    const { exit, io } = await cli('gpu-provision status h100-01');
    expect(exit).toBe(2);
    expect(io.err()).toBe('there is no run of h100-01, or it is over\n');
  });

  it('has no character beyond ASCII with --ascii', async () => {
    const odd = run({ phases: waiting.phases, failure: null, startedBy: 'jürgen', lastRefusal: 'Größe 大' });
    const { io } = await cli('gpu-provision status h100-01 --ascii', { views: [view(odd, at('14:58:13'))] });
    expect(io.out()).toMatch(/^[ -~\n]*$/);
    expect(io.out()).toContain('refused  Gro?e ?');
  });
});

describe('list', () => {
  it('puts those first that wait for a person, and says how many there are', async () => {
    const { exit, io, client } = await cli('gpu-provision list --all --site fra1', { runs: listed });
    expect(exit).toBe(0);
    expect(client.listed).toEqual([{ all: true, site: 'fra1' }]);
    const lines = io.out().trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NEEDS HANDS .* h100-a-long-name-09 /);
    expect(lines.at(-1)).toBe('8 runs: 1 needs hands, 2 wait for an answer, 2 under way, 3 over');
  });

  it('gives programs everything', async () => {
    const { io, client } = await cli('gpu-provision list --json', { runs: listed });
    expect(client.listed).toEqual([{ all: false }]);
    expect(JSON.parse(io.out())).toEqual({ runs: listed });
  });
});

describe('decisions', () => {
  it('sends an approval with its digest, who and why, and prints the receipt', async () => {
    const { exit, io, client } = await cli('gpu-provision approve h100-01 --digest 7f3a-91c2 --reason CHG-4711');
    expect(exit).toBe(0);
    expect(client.decided).toEqual([
      { choice: 'approve', decision: { gate: 'reboot', digest: '7f3a-91c2', reason: 'CHG-4711', by: 'op-a@ops1' } },
    ]);
    expect(io.out()).toBe(
      'approved  h100-01 reboot 7f3a-91c2 by op-a@ops1 (asserted), CHG-4711. Reboot in a few seconds.\n',
    );
  });

  it('shows the plan and its diff before anything is sent', async () => {
    for (const verb of ['approve --digest 7f3a-91c2', 'reject']) {
      const [choice, ...options] = verb.split(' ');
      const { io } = await cli(['gpu-provision', choice, 'h100-01', ...options].join(' '), {
        views: [view(atGate, at('14:32:07'))],
      });
      expect(io.err()).toContain('+- GATE reboot  digest 7f3a-91c2 ');
      expect(io.err()).toContain('\n  +GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"\n');
      expect(io.err()).toContain('  /boot/grub/custom.cfg\n');
    }
  });

  it.each([
    ['h100-01', 0, [{ gate: 'reboot', digest: '7f3a-91c2', by: 'op-a@ops1' }]],
    ['h100-02', 2, []],
    [null, 2, []],
  ] as const)(
    'takes the digest that was shown where the name is typed at a terminal: %s',
    async (typed, code, sent) => {
      for (const choice of ['approve', 'reject'] as const) {
        const terminal = keyboard([typed]);
        const io = recordedIo({ terminal, env: inventoryEnv() });
        const script = { views: [view(atGate, at('14:32:07'))] };
        const { exit, client } = await cli(`gpu-provision ${choice} h100-01`, script, io);
        expect(exit).toBe(code);
        expect(terminal.asked).toEqual([`type the server's name to ${choice} reboot 7f3a-91c2: `]);
        expect(client.decided).toEqual(sent.map((decision) => ({ choice, decision })));
      }
    },
  );

  it('finds the question that an approved digest is for', async () => {
    const question = { ...atGate.question!, id: 'disks#2', kind: 'disks' as const, digest: '51e2-0c3f' };
    const { io, client } = await cli('gpu-provision approve h100-01 --digest 51e2-0c3f', {
      views: [view({ ...atGate, question }, at('16:10:00'))],
    });
    expect(client.decided).toEqual([
      { choice: 'approve', decision: { gate: 'disks#2', digest: '51e2-0c3f', by: 'op-a@ops1' } },
    ]);
    expect(io.out()).toContain('The disks become storage');
  });

  it('answers the question that is open', async () => {
    const [status] = endings['needs-hands']!;
    const { client } = await cli('gpu-provision resume h100-01 --note looked', {
      views: [view(status, at('16:10:00'))],
    });
    expect(client.decided).toEqual([
      { choice: 'resume', decision: { gate: 'needs-hands', reason: 'looked', by: 'op-a@ops1' } },
    ]);
  });

  it.each([
    ['refused', 7, 'refused   digest 7f3a-91c2 is void\n'],
    ['no-worker', 8, 'digest 7f3a-91c2 is void\n'],
    ['not-found', 2, 'digest 7f3a-91c2 is void\n'],
  ] as const)('tells %s by its exit code', async (kind, code, text) => {
    const fails = { decide: new ClientError(kind, 'digest 7f3a-91c2 is void') };
    const { exit, io } = await cli('gpu-provision approve h100-01 --digest 7f3a-91c2', { fails });
    expect({ exit, err: io.err(), out: io.out() }).toEqual({ exit: code, err: text, out: '' });
  });
});

describe('cancel', () => {
  const views = [view(waiting, at('14:48:47'))];

  it('says first what it undoes, and asks nobody where nobody is', async () => {
    const { exit, io, client } = await cli('gpu-provision cancel h100-01', { views });
    expect(exit).toBe(2);
    expect(io.err()).toContain('at most 2 reboots and 2 power cycles, as approved');
    expect(io.err()).toContain('cancel with --confirm h100-01');
    expect(client.cancelled).toEqual([]);
  });

  it('cancels when the name is confirmed', async () => {
    const { exit, client } = await cli('gpu-provision cancel h100-01 --confirm h100-01', { views });
    expect(exit).toBe(0);
    expect(client.cancelled).toEqual(['h100-01']);
  });

  it('does nothing to a run that is over', async () => {
    const [status, workflow] = endings['provisioned']!;
    const over = [view(status, at('16:10:00'), { workflow })];
    const { exit, io, client } = await cli('gpu-provision cancel h100-01 --confirm h100-01', { views: over });
    expect(exit).toBe(2);
    expect(io.err()).toContain('is over (completed)');
    expect(client.cancelled).toEqual([]);
  });
});

describe('inventory check', () => {
  it('names the servers of a good one', async () => {
    const { exit, io, connections } = await cli(`gpu-provision inventory check ${site.path}`);
    expect({ exit, connections }).toEqual({ exit: 0, connections: 0 });
    expect(io.out()).toBe(`${site.path}: site fra1, 1 server: h100-01\n`);
  });

  it('lists the problems of a bad one, with places', async () => {
    site.put('bad.yaml', EXAMPLE.replace("'18:00.0'", '18:00.0'));
    const { exit, io } = await cli(`gpu-provision inventory check ${site.directory}/bad.yaml`);
    expect(exit).toBe(2);
    expect(io.err()).toMatch(/bad\.yaml:\d+:\d+ servers\.h100-01\.gpus\.addresses\[1\]/);
    expect(io.out()).toBe('');
  });
});
