import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import { CALM, type Schedule } from '../simulation/schedule.js';
import { simulate } from '../simulation/simulate.js';
import { WorkflowCode } from '../simulation/workflow-instance.js';
import { Rig } from './rig.js';
import { World } from './world.js';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

interface Row {
  readonly what: string;
  readonly schedule: Partial<Schedule>;
  readonly faults?: World['faults'];
  readonly answer: (run: Rig) => Promise<unknown>;
}

/** Rows share two cores with whatever else a machine does. */
const LIMIT_MS = 180_000;
const FAILS = { call: 1, attempt: 1, point: 'before', awaySeconds: 0 } as const;

const ROWS: readonly Row[] = [
  { what: 'is approved', schedule: {}, answer: (run) => run.approve() },
  {
    what: 'is rejected',
    schedule: { gates: [{ how: 'reject', afterSeconds: 5, by: 'update' }] },
    answer: async (run) => {
      await run.untilAsked();
      await run.update('reject', { gate: 'reboot' });
    },
  },
  {
    what: 'hangs in its trial boot, and is power-cycled',
    schedule: { behaviours: ['hangs'] },
    answer: (run) => run.approve(),
  },
  {
    what: 'is given up in phase 3',
    schedule: { faults: [{ ...FAILS, kind: 'fails-for-good', at: 'k3s.await-node' }] },
    faults: [{ at: 'k3s.await-node', type: 'ClusterConflict' }],
    answer: async (run) => {
      await run.leapUntilAsked('parked:k3s');
      await run.update('reject', { gate: 'parked:k3s' });
    },
  },
  {
    what: 'has a verification that fails at first, and is tried again',
    schedule: { faults: [{ ...FAILS, kind: 'fails', at: 'isolation.verify-devices' }] },
    faults: [{ at: 'isolation.verify-devices', type: 'HostUnreachable', attempts: 1 }],
    answer: (run) => run.approve(),
  },
];

/** The simulation plays Temporal's part itself: what it says is worth as much as this. */
describe('the simulation does what Temporal does with a run that', () => {
  it.each(ROWS)('$what', { timeout: LIMIT_MS }, async ({ schedule, faults = [], answer }) => {
    const world = new World();
    world.behaviours = [...(schedule.behaviours ?? [])];
    world.faults = [...faults];
    rig = await Rig.start(world, { phases: PHASE_NAMES.slice(0, 4) });
    await answer(rig);
    const { closed, status } = await rig.end();
    const { events = [] } = await rig.handle.fetchHistory();
    const scheduled = (events ?? []).flatMap(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
    );

    const code = new WorkflowCode(await readFile(inject('workflowBundle'), 'utf8'));
    const simulated = await simulate(code, { ...CALM, phases: 'isolation', disks: 0, ...schedule });
    // The rig's server has no console: see REDFISH.
    expect(simulated.scheduled.filter((name) => name !== 'bmc.console')).toEqual(scheduled);
    expect({ closed: simulated.closed, outcome: simulated.status?.outcome, counts: simulated.status?.counts }).toEqual({
      closed,
      outcome: status.outcome,
      counts: status.counts,
    });
    expect(simulated.violations).toEqual([]);
  });
});
