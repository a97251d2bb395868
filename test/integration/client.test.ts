/**
 * The client on a real Temporal with the real workflow; only the server it provisions is modelled.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { filtersOf } from '../../lab/demo/run-list.js';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { connectProvision, type ProvisionClient } from '../../src/client.js';
import { hostQueue, type ProvisionInput, watchQueue, WORKFLOW_QUEUE } from '../../src/domain/run/messages.js';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import type { RunView } from '../../src/domain/run/view.js';
import { serverSpec } from '../support/server-spec.js';
import { World } from '../workflow/world.js';

// What activities are made to fail with is logged by the SDK and would hide what a test says.
Runtime.install({ logger: new DefaultLogger('ERROR') });

let temporal: TemporalServer;
let client: ProvisionClient;

beforeAll(async () => {
  // A server of its own: these tests depend on who polls the common queue, and on who does not.
  temporal = await startTemporal();
  client = await connectProvision({ address: temporal.address, env: {} });
});
afterAll(async () => {
  await client.close();
  await temporal.stop();
});

function input(name: string): ProvisionInput {
  const { boot } = serverSpec();
  return {
    spec: serverSpec({ name, site: siteOf(name), boot: { ...boot, settleSeconds: 1 } }),
    phases: PHASE_NAMES,
    startedBy: 'op-b@ops2',
    reason: 'CHG-1',
  };
}

/** Each server has a site and so a modelled world of its own. */
const siteOf = (name: string): string => `site-of-${name}`;
const newName = (): string => `h100-${randomUUID().slice(0, 8)}`;

/** Serves the server's site while `use` runs. */
async function served<T>(name: string, use: () => Promise<T>): Promise<T> {
  const connection = await NativeConnection.connect({ address: temporal.address });
  const common = { connection, namespace: temporal.namespace };
  const activities = new World().activities();
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: WORKFLOW_QUEUE,
      workflowBundle: { codePath: inject('workflowBundle') },
    }),
    Worker.create({ ...common, taskQueue: hostQueue(siteOf(name)), activities }),
    Worker.create({ ...common, taskQueue: watchQueue(siteOf(name)), activities }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    return await use();
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  }
}

/** Watches until a view is as wanted. */
async function until(name: string, wanted: (view: RunView) => boolean): Promise<RunView> {
  for await (const { view } of client.watch(name)) if (wanted(view)) return view;
  throw new Error('the run ended before');
}

/** Lists are a store of their own, which follows. */
const VISIBLE = { timeout: 30_000, interval: 200 };

const isAsked = (view: RunView): boolean => view.status?.question?.kind === 'reboot' && view.status.plan !== null;

describe('before any worker was there', () => {
  it('says so at once, and shows what was asked for', async () => {
    const name = newName();
    const started = await client.start(input(name));
    expect(started).toMatchObject({ server: name, workflowId: `provision/${name}`, attached: false });
    expect(await client.workersPolling(WORKFLOW_QUEUE)).toBe(0);
    const view = await client.status(name);
    expect(view).toMatchObject({
      workflow: 'running',
      contact: { kind: 'no-worker', queue: WORKFLOW_QUEUE, since: null },
      status: null,
      known: { startedBy: 'op-b@ops2', site: siteOf(name), cluster: 'fra1-a', outcome: null, runId: started.runId },
    });
    await expect(client.plan(input(name).spec)).rejects.toMatchObject({ kind: 'no-worker' });
    await client.cancel(name);
  });
});

describe('the list of runs', () => {
  it('has what waits for a person with its age, while no worker is there, and what is over when asked', async () => {
    const name = newName();
    const site = siteOf(name);
    const question = await served(name, async () => {
      await client.start(input(name));
      return (await until(name, isAsked)).status?.question;
    });
    const [waiting, ...others] = await client.list({ site });
    expect(others).toEqual([]);
    expect(waiting).toMatchObject({
      server: name,
      workflow: 'running',
      known: { startedBy: 'op-b@ops2', site, cluster: 'fra1-a', phase: 'gpu-isolation', gate: 'reboot', outcome: null },
    });
    // Seconds of the event against the workflow's clock, which stands still during a task.
    const opened = Date.parse(question?.openedAt ?? '');
    expect(Date.parse(waiting?.gateOpenedAt ?? '')).toBeGreaterThanOrEqual(opened - 1_000);
    expect(Date.parse(waiting?.gateOpenedAt ?? '')).toBeLessThanOrEqual(Date.now());
    expect((await client.list()).map(({ server }) => server)).toContain(name);

    await served(name, async () => {
      await client.cancel(name);
      await client.result(name);
    });
    await vi.waitFor(async () => expect(await client.list({ site })).toEqual([]), VISIBLE);
    await vi.waitFor(
      async () =>
        expect(await client.list({ site, all: true })).toMatchObject([{ server: name, workflow: 'cancelled' }]),
      VISIBLE,
    );
    expect(await client.list({ site: "o'hara" })).toEqual([]);
  });
});

describe("the filters for Temporal's own list in docs/temporal-ui.md", () => {
  /** Whether a filter finds a run: while it asks to reboot, and when it was cancelled. */
  const FINDS: Readonly<Record<string, { readonly asking: boolean; readonly cancelled: boolean }>> = {
    'runs under way': { asking: true, cancelled: false },
    'runs under way of one site': { asking: true, cancelled: false },
    'waits for a person': { asking: true, cancelled: false },
    'asks to reboot': { asking: true, cancelled: false },
    parked: { asking: false, cancelled: false },
    'needs hands': { asking: false, cancelled: false },
    'over, and not provisioned': { asking: false, cancelled: true },
    'ended from outside, undid nothing': { asking: false, cancelled: false },
    'runs of one server': { asking: true, cancelled: true },
    'all about one server': { asking: true, cancelled: true },
    'servers that drifted': { asking: false, cancelled: false },
  };

  it('are taken by a real server, and find what they say', async () => {
    const name = newName();
    const filters = filtersOf(readFileSync('docs/temporal-ui.md', 'utf8')).map(({ name: which, query }) => ({
      which,
      query: query.replace("'fra1'", `'${siteOf(name)}'`).replace('h100-01', name),
    }));
    const connection = await Connection.connect({ address: temporal.address });
    const raw = new Client({ connection, namespace: temporal.namespace });
    const found = async (): Promise<Record<string, boolean>> => {
      const rows: Record<string, boolean> = {};
      for (const { which, query } of filters) {
        rows[which] = false;
        for await (const { workflowId } of raw.workflow.list({ query })) {
          if (workflowId === `provision/${name}`) rows[which] = true;
        }
      }
      return rows;
    };
    const expected = (state: 'asking' | 'cancelled'): Record<string, boolean> =>
      Object.fromEntries(Object.entries(FINDS).map(([which, finds]) => [which, finds[state]]));
    try {
      await served(name, async () => {
        await client.start(input(name));
        await until(name, isAsked);
        await vi.waitFor(async () => expect(await found()).toEqual(expected('asking')), VISIBLE);
        await client.cancel(name);
        await client.result(name);
        await vi.waitFor(async () => expect(await found()).toEqual(expected('cancelled')), VISIBLE);
      });
    } finally {
      await connection.close();
    }
  });
});

describe('a run', () => {
  it('is the only one of its server, and may be joined', async () => {
    const name = newName();
    const first = await client.start(input(name));
    await expect(client.start(input(name))).rejects.toMatchObject({ kind: 'already-running' });
    expect(await client.start(input(name), { attach: true })).toEqual({ ...first, attached: true });
  });

  it('is watched, decided and ended through the client alone', async () => {
    const name = newName();
    await served(name, async () => {
      const { runId } = await client.start(input(name));
      const kinds: string[] = [];
      let texts = 0;
      for await (const { view, events } of client.watch(name)) {
        kinds.push(...events.map(({ kind }) => kind));
        texts += events.length;
        const { question, plan } = view.status ?? {};
        if (question?.kind !== 'reboot') continue;
        const decision = { gate: 'reboot', digest: plan?.digest ?? '', by: 'op-a@ops1', reason: 'CHG-4711' };
        await expect(client.decide(name, 'approve', { ...decision, digest: '0000-0000' })).rejects.toMatchObject({
          kind: 'refused',
          message: `digest 0000-0000 is not the one being asked, ${plan?.digest}: review that plan.`,
        });
        const receipt = await client.decide(name, 'approve', decision);
        expect(receipt).toMatchObject({ choice: 'approve', digest: plan?.digest, by: 'op-a@ops1', duplicate: false });
        // The same words again are the same decision.
        expect(await client.decide(name, 'approve', decision)).toMatchObject({
          at: receipt.at,
          digest: receipt.digest,
        });
      }
      const end = await client.result(name);
      expect(end).toMatchObject({
        workflow: 'completed',
        contact: { kind: 'ok' },
        status: { outcome: 'provisioned', runId },
      });
      // Each event was told once, however often the run was looked at.
      expect(texts).toBe(end.status?.events.length);
      expect(kinds.filter((kind) => kind === 'decision')).toHaveLength(1);
      await expect(client.decide(name, 'approve', { gate: 'reboot' })).rejects.toMatchObject({ kind: 'not-found' });
    });
  }, 60_000);

  it('that fails still gives its last status when no worker is left', async () => {
    const name = newName();
    await served(name, async () => {
      await client.start(input(name));
      const { status } = await until(name, isAsked);
      await client.decide(name, 'reject', { gate: 'reboot', digest: status?.question?.digest ?? '', by: 'op-a@ops1' });
      await client.result(name);
    });
    expect(await client.status(name)).toMatchObject({
      workflow: 'failed',
      contact: { kind: 'ok' },
      status: { outcome: 'rejected', decisions: [{ choice: 'reject', by: 'op-a@ops1' }] },
      known: { outcome: 'rejected' },
    });
  }, 60_000);

  it('keeps what was last seen when the worker goes away, and says that a decision may be lost', async () => {
    const name = newName();
    const seen: RunView[] = [];
    const left = new AbortController();
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    await client.start(input(name));
    const serving = served(name, () => stopped);
    for await (const { view } of client.watch(name, { signal: left.signal })) {
      if (isAsked(view)) stop();
      if (view.contact.kind === 'ok' || !seen.some(isAsked)) {
        seen.push(view);
        continue;
      }
      expect(view.contact.kind).toMatch(/^(?:no-worker|stuck)$/);
      expect(view.status?.question?.id).toBe('reboot');
      expect(view.statusAt).toBe(seen.at(-1)?.statusAt);
      left.abort();
    }
    await serving;
    const digest = seen.at(-1)?.status?.plan?.digest ?? '';
    await expect(client.decide(name, 'approve', { gate: 'reboot', digest })).rejects.toMatchObject({
      kind: 'no-worker',
    });
  }, 60_000);

  it('that nobody started is told from one that is over', async () => {
    await expect(client.status('h100-99')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(client.cancel('h100-99')).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('another namespace', () => {
  it('is not taken for a run that is not there', async () => {
    const lost = await connectProvision({ address: temporal.address, namespace: 'elsewhere', env: {} });
    try {
      await expect(lost.status('h100-01')).rejects.toMatchObject({
        kind: 'unreachable',
        message: expect.stringContaining('elsewhere') as string,
      });
    } finally {
      await lost.close();
    }
  });
});
