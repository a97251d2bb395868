/**
 * Crashes of real processes: the worker is the built product and is killed, hosts are served over real SSH, Temporal keeps its runs in a file.
 * What happened is counted on the hosts. See docs/crashes.md.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultRule } from '../../lab/rack/index.js';
import { story } from '../support/provision-run.js';
import { readAudit } from '../support/audit.js';
import { effectsOn, UNDISTURBED, withoutRepetitions, type Effects } from './crashes/effects.js';
import type { Traveller } from './crashes/journey.js';
import { CrashLab } from './crashes/lab.js';
import {
  ANSWER_LOST,
  APT_RUNS,
  BUILD_RUNS,
  HOST_AWAY,
  JOURNEYS,
  provisionedBy,
  QUESTION_OPEN,
} from './crashes/points.js';
import { randomKills, seeded } from './crashes/random.js';

/** Minutes for the longest of them, three where both cores are free; the rest is patience. */
const LIMIT_MS = 8 * 60_000;
vi.setConfig({ testTimeout: LIMIT_MS });

let lab: CrashLab;
beforeAll(async () => {
  lab = await CrashLab.start();
}, LIMIT_MS);
afterAll(() => lab.close());

interface Arrival {
  readonly forwardReboots: number;
  readonly effects: Partial<Effects>;
}

/** What a run did to its host. Throws when it did not end as it should have. */
async function arrival({ journey, site, end }: Traveller): Promise<Arrival & { readonly effects: Effects }> {
  const status = await end;
  if (status.outcome !== journey.ends) throw new Error(`should have ended ${journey.ends}: ${story(status)}`);
  return { forwardReboots: status.counts.forwardReboots, effects: effectsOn(site.host) };
}

const wanted = ({ journey: { effects } }: Traveller): Arrival => ({ forwardReboots: 1, effects });

async function sayDelays(traveller: Traveller): Promise<void> {
  for (const [crash, ms] of await traveller.delays())
    console.log(`${(ms / 1_000).toFixed(1)} s until progress: ${crash}`);
}

describe('a worker that is killed', () => {
  it('at every named point: its runs end as they would have, and their hosts were changed no more', async () => {
    const worker = lab.startWorker('points', lab.proxy.address);
    const travellers = await Promise.all(JOURNEYS.map((journey) => lab.setOut(journey, 'points')));
    const approvals = travellers.map((traveller) => traveller.approve());
    for (;;) {
      const points = await Promise.all(travellers.map((traveller) => traveller.arrive()));
      if (points.every((point) => point === null)) break;
      await worker.kill();
      const now = Date.now();
      for (const traveller of travellers) traveller.goOn(now);
      worker.start();
    }
    await Promise.all(approvals);
    const arrivals = await Promise.all(travellers.map((traveller) => arrival(traveller)));
    for (const traveller of travellers) await sayDelays(traveller);
    expect(arrivals).toMatchObject(travellers.map((traveller) => wanted(traveller)));
  });

  const { kills, seed } = randomKills();
  it(`at random times, ${kills} in all, seed ${seed}: a step that had begun is repeated, a reboot never`, async () => {
    const random = seeded(seed);
    const worker = lab.startWorker('random', lab.address, ['--audit', lab.audit]);
    let left = kills;
    while (left > 0) {
      const traveller = await lab.setOut(provisionedBy(), 'random', { audit: lab.audit });
      const approved = traveller.approve();
      const ended = traveller.end.then(() => true);
      const before = left;
      while (!(await Promise.race([ended, delay(random() * LONGEST_PAUSE_MS, false)])) && left > 0) {
        await worker.kill();
        traveller.note(`kill ${kills - left + 1}`, Date.now());
        worker.start();
        left -= 1;
      }
      await approved;
      const crashes = before - left;
      const { forwardReboots, effects } = await arrival(traveller);
      await sayDelays(traveller);
      const settled = { forwardReboots, effects: withoutRepetitions(effects, UNDISTURBED, crashes) };
      expect(settled).toEqual(wanted(traveller));
      const { runId } = await traveller.end;
      const lines = (await readAudit(lab.audit)).filter(({ run }) => run === runId);
      // A line may be there twice, never changed, and none is missing.
      const byId = new Map(lines.map((line) => [line.id, line]));
      for (const line of lines) expect(line).toEqual(byId.get(line.id));
      const whats = ['started', 'gate-open', 'decision', 'reboot', 'committed', 'outcome'];
      expect([...byId.values()].map(({ what }) => what)).toEqual(whats);
      expect([...byId.keys()]).toEqual(whats.map((_, i) => `${runId}:${i + 1}`));
    }
  });
});

/** Not longer than a run takes, so that it seldom ends before it is struck. */
const LONGEST_PAUSE_MS = 30_000;

describe('a run', () => {
  it('goes on after its worker was stopped, its links were cut and Temporal was killed three times', async () => {
    const worker = lab.startWorker('away', lab.address);
    const journey = provisionedBy(APT_RUNS, ANSWER_LOST, BUILD_RUNS, QUESTION_OPEN, HOST_AWAY);
    const traveller = await lab.setOut(journey, 'away');
    const { rack, host } = traveller.site;
    const approved = traveller.approve();
    const restartTemporal = async (): Promise<void> => {
      await lab.killTemporal();
      traveller.goOn(Date.now());
      await lab.startTemporal();
    };

    expect(await traveller.arrive()).toBe(APT_RUNS.name);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(await traveller.lastFailure()).toBe('WorkerStopped');
    traveller.goOn(Date.now());
    worker.start();

    expect(await traveller.arrive()).toBe(ANSWER_LOST.name);
    await restartTemporal();

    expect(await traveller.arrive()).toBe(BUILD_RUNS.name);
    const cut: FaultRule = { at: 'ssh', match: 'systemctl show', effect: { kind: 'drop-link', when: 'during' } };
    rack.faults.add(cut);
    await host.waitFor(() => rack.faults.struck.includes(cut), 'a link that is cut', LIMIT_MS);
    traveller.goOn(Date.now());

    expect(await traveller.arrive()).toBe(QUESTION_OPEN.name);
    await restartTemporal();

    expect(await traveller.arrive()).toBe(HOST_AWAY.name);
    await restartTemporal();
    await approved;
    const arrived = await arrival(traveller);
    await sayDelays(traveller);
    expect(arrived).toEqual(wanted(traveller));
  });
});

describe('hosts that hang', () => {
  it('hold one slot each, and the others of their site go on with the one that is left', async () => {
    lab.startWorker('narrow', lab.address, ['--host-changes', '3']);
    const phases = ['preflight', 'node-preparation'] as const;
    const hanging: readonly FaultRule[] = [
      { at: 'program', match: /^apt-get .*\binstall\b/, effect: { kind: 'hang' } },
      { at: 'ssh', match: 'flock', effect: { kind: 'hang' }, times: 1_000 },
    ];
    const stuck = await Promise.all(
      hanging.map(async (fault) => {
        const site = await lab.startSite('narrow', { faults: [fault] });
        const run = await site.begin(phases);
        await site.host.waitFor(() => site.rack.faults.struck.includes(fault), 'a host that hangs', LIMIT_MS);
        return run;
      }),
    );
    const healthy = await Promise.all([lab.startSite('narrow'), lab.startSite('narrow')]);
    const runs = await Promise.all(healthy.map((site) => site.begin(phases)));
    for (const status of await Promise.all(runs.map((run) => run.end())))
      expect(status.outcome, story(status)).toBe('provisioned');
    for (const { handle } of stuck) {
      expect((await handle.describe()).status.name).toBe('RUNNING');
      await handle.terminate('the test has ended');
    }
  });
});
