/**
 * The failure matrix: every step of this project's phase by every fault, generated from the tables of both.
 * @module
 */
import { afterAll, expect, inject, it } from 'vitest';
import { phaseOf } from '../../src/domain/run/phases.js';
import { suiteWithClusters } from '../support/clusters.js';
import { stepsHit } from './cell.js';
import { FAULTS } from './faults.js';
import { HostsBefore } from './hosts-before.js';
import { playLane } from './lane.js';
import { removeBuiltWorker } from './mortal-workers.js';

const LANE_LIMIT_MS = 60 * 60_000;

suiteWithClusters();
const hosts = new HostsBefore();
afterAll(() => hosts.remove());
afterAll(() => removeBuiltWorker());

const phase = phaseOf(inject('matrixPhase'));
const faults = FAULTS.filter((fault) => stepsHit(phase, fault).length > 0);
it.concurrent.for(faults.map((fault) => [fault.name, fault] as const))(
  '%s',
  { timeout: LANE_LIMIT_MS },
  async ([, fault], { task }) => {
    const cells = await playLane(phase, fault, hosts);
    // For the table.
    task.meta.cells = cells;
    expect(cells.filter(({ problems }) => problems.length > 0)).toEqual([]);
  },
);
