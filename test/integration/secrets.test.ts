/**
 * Secrets planted everywhere, on a real Temporal, with the product as processes of their own, and hosts and BMCs that repeat every secret they
 * were told. Then everything that is left is searched for each of them.
 */
import { createDecipheriv, randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Child } from '../../lab/tools/child.js';
import { temporalCli } from '../../lab/tools/temporal-cli.js';
import type { Ended, Environment } from '../support/built-product.js';
import { ProcessList } from '../support/process-list.js';
import { describeWith } from '../support/skip-unless.js';
import { findSecrets, payloadsIn, payloadText } from '../support/traces.js';
import { CODEC_KEY, CODEC_TOKEN, PlantedSite, REASON, SERIAL } from './planted-site.js';

const run = promisify(execFile);
const BUILD_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 240_000;
const POLL_MS = 200;
const PHASES = 'preflight,node-preparation,k3s';

let site: PlantedSite;
let processes: ProcessList;
/** Everything that people could get to see, by name. */
const artefacts = new Map<string, Buffer | string>();

/** A command whose output is an artefact. */
async function command(name: string, words: readonly string[], more: Environment = {}): Promise<Ended> {
  const ended = await site.product.command('main', words, { ...site.env, ...more });
  artefacts.set(`output of ${name}`, `${ended.out}\n${ended.err}`);
  return ended;
}

function expectExit({ exit, out, err }: Ended, wanted: number): void {
  expect(exit, `${out}${err}`).toBe(wanted);
}

/** The history as Temporal gives it to everybody, payloads in base64. */
async function history(workflow: string, more: Environment = {}): Promise<string> {
  const words = ['workflow', 'show', '-w', workflow, '--address', site.temporal.address, '--output', 'json'];
  const { stdout } = await run(await temporalCli(), [...words, '--no-json-shorthand-payloads'], {
    env: { ...process.env, ...more },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

/** Raw, and with every payload decoded. */
async function keepHistory(name: string, workflow: string): Promise<string> {
  const raw = await history(workflow);
  artefacts.set(`history of ${name}`, raw);
  artefacts.set(`payloads of ${name}`, payloadsIn(JSON.parse(raw)).map(payloadText).join('\n'));
  return raw;
}

/** Runs phases of a server to the end of the command; a phase that parks is tried again. */
async function provision(server: string, name: string, more: Environment = {}): Promise<Ended> {
  const started = command(name, ['start', server, '--phases', PHASES, '--reason', REASON], more);
  while ((await Promise.race([started, delay(POLL_MS)])) === undefined) {
    const { out } = await command(`${name}: status`, ['status', server, '--json'], more);
    if (!out.includes('"kind":"parked"')) continue;
    await command(`${name}: status as text`, ['status', server], more);
    await command(`${name}: resume`, ['resume', server, '--note', REASON], more);
  }
  await command(`${name}: status at the end`, ['status', server, '--json'], more);
  return started;
}

describeWith('secrets planted everywhere', ['ipmitool', 'ipmi_sim'], 'ipmitool openipmi', () => {
  beforeAll(async () => {
    site = await PlantedSite.start();
    processes = new ProcessList(site.ipmitool);
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    processes.stop();
    await site.close();
  });

  it(
    'are in nothing that a run without encryption leaves: histories, logs, output, process lists, files',
    async () => {
      expectExit(await command('inventory check', ['inventory', 'check', '--secrets']), 0);
      const worker = await site.startWorker('worker.log');
      expectExit(await command('dry run', ['start', 'h100-02', '--dry-run', '--diff', 'all']), 0);
      expectExit(await provision('h100-02', 'h100-02'), 0);
      // Its BMC does not let us in, and says why in too many words.
      expectExit(await provision('h100-01', 'h100-01'), 7);
      await worker.stop();
      await collect();
      site.addKeyOfK3s('h100-02');
      expect(findSecrets(site.secrets, artefacts)).toEqual([]);
      expect(await said('h100-02')).toContain('[redacted]');
      expect(String(artefacts.get('spans'))).toMatch(/RunActivity:k3s\..*\[redacted\]/s);
      expect(await said('h100-01')).toMatch(/wrong login: .*\[redacted\]/);
      expect(String(artefacts.get('command lines'))).toContain(site.ipmitool);
      expect(processes.environments.size).toBeGreaterThan(0);
      for (const environment of processes.environments) {
        // Only its user and root can read these.
        expect(
          environment
            .split('\0')
            .filter(Boolean)
            .map((entry) => entry.split('=')[0])
            .toSorted((a = '', b = '') => a.localeCompare(b)),
        ).toEqual(['IPMI_PASSWORD', 'LC_ALL', 'PATH']);
      }
    },
    RUN_LIMIT_MS,
  );

  it('would be found: what is no secret is, by the same search', () => {
    const found = findSecrets({ reason: REASON }, artefacts);
    for (const artefact of [
      'history of h100-02 (base64',
      'payloads of h100-02 (plain)',
      'worker.log (plain)',
      'audit.jsonl (plain)',
      'temporal.db',
      'output of h100-02: status (plain)',
    ]) {
      expect(
        found.some((line) => line.includes(artefact)),
        `${artefact}: ${found.join('; ')}`,
      ).toBe(true);
    }
    for (const [name, secret] of Object.entries(site.secrets)) {
      for (const before of ['', 'x', 'xy']) {
        const text = `${before}${secret}z`;
        const wide = Buffer.from(text, 'utf16le');
        const controls: Readonly<Record<string, Buffer | string>> = {
          plain: text,
          base64: Buffer.from(text).toString('base64'),
          base64url: Buffer.from(text).toString('base64url'),
          hex: Buffer.from(text).toString('hex'),
          'url-encoded': encodeURIComponent(text),
          json: JSON.stringify({ text }),
          'UTF-16': wide,
          'UTF-16 in base64': wide.toString('base64'),
        };
        for (const [encoding, control] of Object.entries(controls)) {
          expect(findSecrets({ [name]: secret }, new Map([[encoding, control]])), `${name} in ${encoding}`).not.toEqual(
            [],
          );
        }
      }
    }
  });

  it(
    'are in nothing that an encrypted run leaves, which shows nothing of the host either and is read with the key alone',
    async () => {
      const encrypted = { GPU_PROVISION_CODEC_KEYS: `file:${site.keep('codec-keys')}` };
      const worker = await site.startWorker('worker-encrypted.log', encrypted);
      const words = ['codec-server', '--port', '0', '--token', `file:${site.keep('codec-token')}`];
      const server = site.start(words, 'codec-server.log', encrypted);
      // Runs that were not encrypted are still read.
      expectExit(await command('status of the run before', ['status', 'h100-02', '--json'], encrypted), 0);
      expectExit(await provision('h100-02', 'h100-02 encrypted', encrypted), 0);
      expectExit(await provision('h100-01', 'h100-01 encrypted', encrypted), 7);
      await worker.stop();

      const shown = ['planted.example.org', SERIAL, REASON, '10.0.0.12', 'the BMC refuses', 'wrong login'];
      const inPayloads = Object.fromEntries(shown.map((text) => [text, text]));
      const raw = new Map([
        ['history of h100-02', await keepHistory('h100-02 encrypted', 'provision/h100-02')],
        ['history of h100-01', await keepHistory('h100-01 encrypted', 'provision/h100-01')],
      ]);
      const payloads = new Map(
        [...raw].map(([name, text]) => [name, payloadsIn(JSON.parse(text)).map(payloadText).join('\n')]),
      );
      expect(findSecrets(inPayloads, raw)).toEqual([]);
      expect(findSecrets(inPayloads, payloads)).toEqual([]);
      // Search attributes alone are plain, by which Temporal searches, and the ids of the trace.
      for (const text of raw.values()) {
        const plain = payloadsIn(JSON.parse(text)).filter(
          (payload) => metadataOf(payload, 'encoding') !== 'binary/encrypted',
        );
        const [ids, others] = [plain.filter(isTraceId), plain.filter((payload) => !isTraceId(payload))];
        expect(ids).not.toEqual([]);
        expect(new Set(others.map((payload) => metadataOf(payload, 'type')))).toEqual(new Set(['Keyword']));
      }
      // The same search finds all of it once the payloads are decrypted, here and by Temporal's own CLI through the codec server.
      const opened = new Map(
        [...raw].map(([name, text]) => [name, payloadsIn(JSON.parse(text)).map(decrypted).join('\n')]),
      );
      const url = await announced(server);
      const asked = new Map<string, string>();
      for (const workflow of ['provision/h100-02', 'provision/h100-01']) {
        const answer = await history(workflow, {
          TEMPORAL_CODEC_ENDPOINT: url,
          // Not by --codec-auth: arguments show in process lists.
          TEMPORAL_CODEC_AUTH: `Bearer ${CODEC_TOKEN}`,
        });
        asked.set(workflow, payloadsIn(JSON.parse(answer)).map(payloadText).join('\n'));
      }
      for (const readable of [opened, asked]) {
        for (const text of shown) expect(findSecrets({ [text]: text }, readable), text).not.toEqual([]);
      }
      await server.stop();
      await collect();
      expect(findSecrets(site.secrets, artefacts)).toEqual([]);
    },
    RUN_LIMIT_MS,
  );

  it('and a replaced key still opens what it encrypted, as long as it is kept', async () => {
    const status = (keys: string): Promise<Ended> =>
      command('status by another key', ['status', 'h100-02', '--json'], {
        GPU_PROVISION_CODEC_KEYS: 'env:KEYS',
        KEYS: keys,
      });
    const newer = `2027-05: ${randomBytes(32).toString('base64')}`;
    const rotated = await status(`${newer}\n2026-11: ${CODEC_KEY}`);
    expectExit(rotated, 0);
    expect(rotated.out).toContain(SERIAL);
    for (const [keys, message] of [
      [newer, /^a payload is encrypted with the key "2026-11", which is not in .*env:KEYS.*; there is 2027-05/],
      [newer.replace('2027-05', '2026-11'), /^a payload names the key "2026-11", but that key in .* does not open it/],
    ] as const) {
      const refused = await status(keys);
      expectExit(refused, 2);
      expect(refused.out).toBe('');
      expect(JSON.parse(refused.err)).toMatchObject({ kind: 'error', message: expect.stringMatching(message) });
    }
    expect(findSecrets(site.secrets, artefacts)).toEqual([]);
  });

  it('are not in what a process says when it crashes', async () => {
    const crash = (guard: string): Promise<Ended> =>
      site.product.node(
        [
          '--input-type=module',
          '-e',
          `import { createSecretSource } from '${site.product.path('src/adapters/secrets/index.js')}';
           import { reportCrashes } from '${site.product.path('src/cli/exit.js')}';
           import { processIo } from '${site.product.path('src/cli/io.js')}';
           ${guard}
           const secret = await createSecretSource().read('file:${site.keep('bmc-h100-01')}');
           setTimeout(() => { throw Object.assign(new Error('logging in as ' + secret), { secret }); });`,
        ],
        {},
      );
    const reported = await crash('reportCrashes(processIo());');
    expectExit(reported, 1);
    expect(reported.err).toMatch(/this is a bug of gpu-provision.*Error: logging in as \[redacted\]\n {4}at /s);
    expect(findSecrets(site.secrets, new Map([['crash', `${reported.out}${reported.err}`]]))).toEqual([]);
    // Node's own report would have shown it.
    const { err } = await crash('');
    expect(findSecrets(site.secrets, new Map([['crash', err]]))).not.toEqual([]);
  });
});

type HistoryPayload = ReturnType<typeof payloadsIn>[number];

function metadataOf({ metadata }: HistoryPayload, name: string): string {
  return Buffer.from(metadata?.[name] ?? '', 'base64').toString();
}

const isTraceId = (payload: HistoryPayload): boolean =>
  /^\{"traceparent":"00-[0-9a-f]{32}-[0-9a-f]{16}-01"\}$/.test(payloadText(payload));

/** As docs/security.md says that payloads are encrypted; not by the code that did it. */
function decrypted(payload: HistoryPayload): string {
  if (metadataOf(payload, 'encoding') !== 'binary/encrypted') return '';
  const data = Buffer.from(payload.data ?? '', 'base64');
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(CODEC_KEY, 'base64'), data.subarray(0, 12));
  decipher.setAAD(Buffer.from(metadataOf(payload, 'encryption-key-id'))).setAuthTag(data.subarray(-16));
  return Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]).toString();
}

/** Where the codec server says that it listens. */
async function announced(server: Child): Promise<string> {
  for (;;) {
    const [url] = /http:\/\/\S+/.exec(server.output()) ?? [];
    if (url !== undefined) return url;
    await delay(POLL_MS);
  }
}

/** Histories, the worker's and Temporal's own files, what the host saw of us, and the processes of this machine. */
async function collect(): Promise<void> {
  await keepHistory('the dry run', 'plan/h100-02');
  await keepHistory('h100-02', 'provision/h100-02');
  await keepHistory('h100-01', 'provision/h100-01');
  for (const entry of await readdir(site.folder, { withFileTypes: true })) {
    if (entry.isFile()) artefacts.set(`file ${entry.name}`, await readFile(join(site.folder, entry.name)));
  }
  for (const host of site.rack.hosts) artefacts.set(`command lines on ${host.name}`, host.commands().join('\n'));
  artefacts.set('spans', site.collector.bodies.join('\n'));
  artefacts.set('command lines', [...processes.commandLines].join('\n'));
}

async function said(server: string): Promise<string> {
  return String(artefacts.get(`payloads of ${server}`));
}
