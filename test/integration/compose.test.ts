/**
 * What can be known of docker-compose.temporal.yml without pulling its images: its shape, the names of its settings, and its namespace job, run against the dev server.
 * @module
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { temporalCli } from '../../lab/tools/temporal-cli.js';
import { SEARCH_ATTRIBUTES } from '../../src/domain/run/messages.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILE = join(ROOT, 'docker-compose.temporal.yml');

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly entrypoint?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** Settings that each image reads: of postgres its documentation, of server 1.32 its embedded template, of ui 2.54 config/docker.yaml, of the tools their flags. */
const SETTINGS: Readonly<Record<string, RegExp>> = {
  postgresql: /^POSTGRES_(USER|PASSWORD)$/,
  schema: /^(SQL_(PLUGIN|HOST|PORT|USER|PASSWORD)|SCHEMA_DIR)$/,
  temporal:
    /^(DB|DB_PORT|POSTGRES_SEEDS|POSTGRES_USER|POSTGRES_PWD|NUM_HISTORY_SHARDS|BIND_ON_IP|LOG_LEVEL|PROMETHEUS_ENDPOINT|DYNAMIC_CONFIG_FILE_PATH)$/,
  namespace: /^(TEMPORAL_ADDRESS|TEMPORAL_NAMESPACE|RETENTION)$/,
  ui: /^TEMPORAL_(ADDRESS|DEFAULT_NAMESPACE|WORKFLOW_(TERMINATE|RESET)_DISABLED|BATCH_ACTIONS_DISABLED|ACTIVITY_COMMANDS_DISABLED|START_WORKFLOW_DISABLED|CSRF_COOKIE_INSECURE|DISABLE_NEWS_FETCH|CODEC_ENDPOINT)$/,
};

const compose = parse(await readFile(FILE, 'utf8'), { merge: true }) as Compose;
const services = Object.entries(compose.services);

describe('docker-compose.temporal.yml', () => {
  it('pins every image to a release', () => {
    for (const [, { image }] of services) expect(image).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?$/);
    expect(compose.services['schema']?.image).toBe(compose.services['namespace']?.image);
    expect(compose.services['temporal']?.image.split(':')[1]).toBe(compose.services['schema']?.image.split(':')[1]);
  });

  it('is reachable from this machine only, and the database not even from there', () => {
    const published = services.flatMap(([, service]) => service.ports ?? []);
    expect(published.length).toBeGreaterThan(0);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(compose.services['postgresql']?.ports).toBeUndefined();
  });

  it('has no password in it', () => {
    const passwords = services.flatMap(([, { environment = {} }]) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|PWD/.test(name)),
    );
    expect(passwords).toHaveLength(3);
    for (const [, value] of passwords) expect(value).toMatch(/^\$\{TEMPORAL_DB_PASSWORD:\?.+\}$/);
  });

  it.each(services)('%s uses only settings that its image reads', (name, { environment = {} }) => {
    for (const setting of Object.keys(environment)) expect(setting).toMatch(SETTINGS[name] ?? /^never$/);
  });

  it.each(services)('%s waits for services that can say that they are ready', (_name, { depends_on = {} }) => {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const { healthcheck, entrypoint } = compose.services[other] ?? {};
      const canSay = { service_healthy: healthcheck, service_completed_successfully: entrypoint };
      expect(Object.entries(canSay).filter(([, value]) => value !== undefined)).toContainEqual([
        condition,
        expect.anything(),
      ]);
    }
  });

  it('mounts files that exist, and keeps the database in a named volume', async () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    const files = sources.filter((source) => source.startsWith('./'));
    for (const file of files) expect((await readFile(join(ROOT, file))).length).toBeGreaterThan(0);
    expect(sources.filter((source) => !files.includes(source))).toEqual(Object.keys(compose.volumes));
    expect(compose.services['postgresql']?.volumes).toEqual(['database:/var/lib/postgresql/data']);
  });

  it('takes terminate, reset and batch actions out of the UI, and leaves signal and cancel in', () => {
    const settings = compose.services['ui']?.environment ?? {};
    const disabled = Object.keys(settings).filter((name) => name.endsWith('_DISABLED'));
    for (const name of disabled) expect(settings[name]).toBe('true');
    expect(disabled).toEqual(
      expect.arrayContaining([
        'TEMPORAL_WORKFLOW_TERMINATE_DISABLED',
        'TEMPORAL_WORKFLOW_RESET_DISABLED',
        'TEMPORAL_BATCH_ACTIONS_DISABLED',
      ]),
    );
    expect(disabled.join()).not.toMatch(/SIGNAL|CANCEL/);
  });

  it('has scripts that a POSIX shell can read', () => {
    for (const script of ['create-schema.sh', 'create-namespace.sh']) {
      expect(() => execFileSync('sh', ['-n', join(ROOT, 'deploy/temporal', script)])).not.toThrow();
    }
  });

  it.runIf(hasComposePlugin())('is understood by docker compose', () => {
    const argv = ['compose', '--file', FILE, 'config', '--quiet'];
    const env = { ...process.env, TEMPORAL_DB_PASSWORD: 'x' };
    expect(() => execFileSync('docker', argv, { env })).not.toThrow();
  });
});

describe('its namespace job', () => {
  const NAMESPACE = 'provisioning';
  let bin: string;
  let connection: Connection;

  beforeAll(async () => {
    bin = await mkdtemp(join(tmpdir(), 'compose-'));
    await symlink(await temporalCli(), join(bin, 'temporal'));
    connection = await Connection.connect({ address: inject('temporalAddress') });
  });
  afterAll(async () => {
    await connection.close();
    await rm(bin, { recursive: true });
  });

  const job = (): Promise<unknown> =>
    promisify(execFile)('sh', [join(ROOT, 'deploy/temporal/create-namespace.sh')], {
      env: {
        ...process.env,
        ...compose.services['namespace']?.environment,
        PATH: `${bin}:${process.env['PATH']}`,
        TEMPORAL_ADDRESS: inject('temporalAddress'),
        TEMPORAL_NAMESPACE: NAMESPACE,
      },
    });

  it('creates the namespace with its retention and every search attribute, and may run again', async () => {
    await job();
    await job();
    const { config } = await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
    expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(Object.values(SEARCH_ATTRIBUTES)));
  });
});

function hasComposePlugin(): boolean {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
