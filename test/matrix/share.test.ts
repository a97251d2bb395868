/**
 * The share of the failure matrix that every change runs: one fault at each step of a whole run, and each fault that this has not at one step
 * of GPU isolation. `npm run test:matrix` runs them all.
 * @module
 */
import { afterAll, expect, it } from 'vitest';
import { PHASE_NAMES, PHASES, phaseOf } from '../../src/domain/run/phases.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { Site } from '../integration/rig.js';
import { suiteWithClusters } from '../support/clusters.js';
import { story } from '../support/provision-run.js';
import { attend } from './attend.js';
import { stepsHit } from './cell.js';
import type { Fault } from './fault.js';
import { FAULTS } from './faults.js';
import { FaultyActivities } from './faulty-activities.js';
import { HostsBefore, optionsOf } from './hosts-before.js';
import { playLane, surroundingsOf } from './lane.js';

suiteWithClusters();
const hosts = new HostsBefore();
afterAll(() => hosts.remove());

const LIMIT_MS = 15 * 60_000;
/** What they do to all steps fits into one run. */
const QUICK = FAULTS.filter(({ shape, slow }) => shape === 'heals' && slow !== true);
const OTHERS = FAULTS.filter((fault) => !QUICK.includes(fault));

it('a whole run with a fault at each of its steps, in turn', { timeout: LIMIT_MS }, async () => {
  const faulty = new FaultyActivities();
  const faults = new Map<string, Fault>();
  for (const { name } of PHASES)
    for (const step of stepsOf(name)) {
      const fault = QUICK[faults.size % QUICK.length];
      if (fault !== undefined) faults.set(step.name, fault);
    }
  for (const [step, fault] of faults) faulty.arm(step, fault);
  const site = await Site.start({ ...optionsOf(null), wrap: (activities) => faulty.wrap(activities) });
  try {
    const run = await site.begin(PHASE_NAMES);
    faulty.surroundings = surroundingsOf(site, run, null);
    const status = await attend(run);
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(faulty.found).toEqual(new Map([...faults.keys()].map((step) => [step, ''])));
  } finally {
    faulty.disarm();
    await site.close();
  }
});

const phase = phaseOf('gpu-isolation');
it.for(OTHERS.map((fault, n) => [fault.name, fault, n] as const))(
  'GPU isolation: %s, at one step',
  { timeout: LIMIT_MS },
  async ([, fault, n]) => {
    const steps = stepsHit(phase, fault);
    const chosen = steps[(2 * n + 1) % steps.length];
    const cells = await playLane(phase, { ...fault, strikes: (step) => step === chosen }, hosts, { afterwards: false });
    expect(cells).toMatchObject([{ step: chosen?.name, problems: [] }]);
  },
);
