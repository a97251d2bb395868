import { beforeAll, describe, expect, it } from 'vitest';
import { bundledWorkflows } from '../support/workflow-bundle.js';
import { campaign } from './campaign.js';
import { CALM, rebootScheduleOf, scheduleOf, upgradeScheduleOf, type Schedule } from './schedule.js';
import { simulate } from './simulate.js';
import { WorkflowCode } from './workflow-instance.js';

/** CI's share; `npm run simulate` has any number. */
const SEEDS = 400;
const REBOOT_SEEDS = 150;
const UPGRADE_SEEDS = 150;

let code: WorkflowCode;
beforeAll(async () => {
  code = new WorkflowCode(await bundledWorkflows());
});

describe('a simulated run', () => {
  it(`keeps every invariant under ${SEEDS} seeded schedules`, async () => {
    const { broken, outcomes, faults } = await campaign(code, { from: 1, count: SEEDS });
    const why =
      broken && `seed ${broken.seed}: ${broken.run.violations.join('; ')} by ${JSON.stringify(broken.schedule)}`;
    expect(why).toBeNull();
    // Every ending is reached, and faults strike: a simulation in which nothing happens proves nothing.
    expect(Object.keys(outcomes).toSorted()).toEqual(
      ['expired', 'incomplete', 'provisioned', 'refused', 'rejected', 'restored'].toSorted(),
    );
    expect(faults).toBeGreaterThan(SEEDS / 4);
  });

  it(`keeps them under ${REBOOT_SEEDS} seeded reboots of a provisioned host`, async () => {
    const { broken, outcomes, faults } = await campaign(code, { from: 1, count: REBOOT_SEEDS }, {}, rebootScheduleOf);
    const why =
      broken && `seed ${broken.seed}: ${broken.run.violations.join('; ')} by ${JSON.stringify(broken.schedule)}`;
    expect(why).toBeNull();
    expect(Object.keys(outcomes).toSorted()).toEqual(['expired', 'incomplete', 'rebooted', 'refused', 'rejected']);
    expect(faults).toBeGreaterThan(REBOOT_SEEDS / 4);
  });

  it(`keeps them under ${UPGRADE_SEEDS} seeded upgrades of the kernel of a provisioned host`, async () => {
    const { broken, outcomes, faults } = await campaign(code, { from: 1, count: UPGRADE_SEEDS }, {}, upgradeScheduleOf);
    const why =
      broken && `seed ${broken.seed}: ${broken.run.violations.join('; ')} by ${JSON.stringify(broken.schedule)}`;
    expect(why).toBeNull();
    expect(Object.keys(outcomes).toSorted()).toEqual(
      ['expired', 'incomplete', 'refused', 'rejected', 'restored', 'upgraded'].toSorted(),
    );
    expect(faults).toBeGreaterThan(UPGRADE_SEEDS / 4);
  });

  it('is the same again from the same seed', async () => {
    for (const seed of [1, 7, 42]) {
      const [first, second] = [await simulate(code, scheduleOf(seed)), await simulate(code, scheduleOf(seed))];
      expect(second).toEqual(first);
    }
  });
});

/** What seeds have found, as they shrank. */
const FOUND: Readonly<Record<string, Partial<Schedule>>> = {
  'a cancel that arrives when all is done closed a provisioned run as cancelled': {
    faults: [{ kind: 'cancelled', at: 'host.release', call: 1, attempt: 1, point: 'during', awaySeconds: 45 }],
  },
  'a phase that was undone while the unit of its cancelled step still ran': {
    faults: [{ kind: 'cancelled', at: 'k3s.install', call: 1, attempt: 1, point: 'during', awaySeconds: 0 }],
  },
  'a host that was given back while a unit of the run still ran': {
    faults: [
      { kind: 'cancelled', at: 'preparation.install-packages', call: 1, attempt: 1, point: 'during', awaySeconds: 0 },
    ],
  },
  'instructions that sent people to known-good when undo had no reboot left, and so never out': {
    behaviours: ['other-entry', 'other-entry', 'falls-back'],
  },
};

describe('what seeds have found', () => {
  it.each(Object.entries(FOUND))('%s', async (_, schedule) => {
    const run = await simulate(code, { ...CALM, phases: 'isolation', ...schedule });
    expect(run.violations).toEqual([]);
  });
});
