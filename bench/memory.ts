/**
 * Memory of one worker while many runs wait for their approval, and how soon one of them goes on.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SEARCH_ATTRIBUTES } from '../src/domain/run/messages.js';
import { World } from '../test/workflow/world.js';
import type { Figure } from './figures.js';
import { modelledServer, withModelledSite } from './modelled-site.js';
import { withProduct, type Product } from './product.js';
import { HOST_PHASES } from './provision.js';

/** Runs under way at once. */
const STARTERS = 10;
const REPORTED_EVERY = 100;
const LOOK_EVERY_MS = 500;
/** Memory is read this often, once a second: collections come and go. */
const SAMPLES = 10;
/** How many runs are approved, of those that came first and of those that came last. */
const APPROVED = 5;
/** The last activity before the question. */
const LAST = 'isolation.read-plan';
/** The first activity after the answer and the check that what was approved is still there. */
const NEXT = 'reboot.arm';

export async function benchMemory(
  server: { readonly address: string; readonly namespace: string },
  waiting: number,
  report: (line: string) => void,
): Promise<readonly Figure[]> {
  const worlds = new Map(Array.from({ length: waiting }, (_, at) => [`server-${at + 1}`, new World()]));
  const worldOf = (name: string): World => {
    const world = worlds.get(name);
    if (world === undefined) throw new RangeError(`no server is named ${name}`);
    return world;
  };
  return withProduct({ ...server, site: 'no-hosts' }, (product) =>
    withModelledSite(server, worldOf, async () => {
      const idle = await memorySamples(product);
      const names = [...worlds.keys()];
      const began = Date.now();
      await startAll(product, worlds, report);
      await untilAllAsk(product, waiting);
      const seconds = (Date.now() - began) / 1_000;
      const full = await memorySamples(product);
      const goOn = (name: string): Promise<number> => approve(product, name, worldOf(name));
      const first: number[] = [];
      const last: number[] = [];
      for (const name of names.slice(0, APPROVED)) first.push(await goOn(name));
      for (const name of names.slice(-APPROVED)) last.push(await goOn(name));
      const idleMiB = Math.max(...idle);
      return [
        { name: 'memory of the worker before', unit: 'MiB', values: idle },
        { name: `memory with ${waiting} runs waiting`, unit: 'MiB', values: full },
        { name: 'more for each run', unit: 'KiB', values: full.map((mib) => ((mib - idleMiB) * 1_024) / waiting) },
        { name: `from the start of the first until all ${waiting} wait`, unit: 's', values: [seconds] },
        { name: 'approved until it acts: the runs that waited longest', unit: 'ms', values: first },
        { name: 'approved until it acts: the runs that came last', unit: 'ms', values: last },
      ];
    }),
  );
}

async function memorySamples(product: Product): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    await delay(1_000);
    samples.push(await product.workerMemory());
  }
  return samples;
}

/** A few at a time: a server that is flooded answers too late for its clients. */
async function startAll(
  { provision }: Product,
  worlds: ReadonlyMap<string, World>,
  report: (line: string) => void,
): Promise<void> {
  let reached = 0;
  const left = worlds.entries();
  const starter = async (): Promise<void> => {
    for (const [name, world] of left) {
      const asks = new Promise<void>((resolve) => world.on.set(LAST, resolve));
      await provision.start({ spec: modelledServer(name), phases: HOST_PHASES, startedBy: 'bench' });
      await asks;
      reached += 1;
      if (reached % REPORTED_EVERY === 0) report(`${reached} of ${worlds.size} runs are about to ask`);
    }
  };
  await Promise.all(Array.from({ length: STARTERS }, starter));
}

async function untilAllAsk({ temporal }: Product, wanted: number): Promise<void> {
  const count = async (query: string): Promise<number> => (await temporal.workflow.count(query)).count;
  for (;;) {
    const asking = await count(`${SEARCH_ATTRIBUTES.gate} = 'reboot'`);
    if (asking === wanted) return;
    const ended = await count("ExecutionStatus != 'Running'");
    if (ended > 0) throw new Error(`${ended} runs ended instead of waiting for their approval`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Milliseconds from the decision until the run acts on it. */
async function approve({ provision }: Product, name: string, world: World): Promise<number> {
  const { status } = await provision.status(name);
  return new Promise((resolve, reject) => {
    const began = Date.now();
    world.on.set(NEXT, () => resolve(Date.now() - began));
    const decision = { gate: 'reboot', digest: status?.plan?.digest ?? '', by: 'bench' };
    provision.decide(name, 'approve', decision).catch(reject);
  });
}
