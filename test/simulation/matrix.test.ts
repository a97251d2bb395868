import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTS, type FaultKind } from '../faults.js';
import { bundledWorkflows } from '../support/workflow-bundle.js';
import { cell, FAULT_NAMES, TABLES } from './matrix.js';
import { simulate } from './simulate.js';
import { WorkflowCode } from './workflow-instance.js';

let code: WorkflowCode;
beforeAll(async () => {
  code = new WorkflowCode(await bundledWorkflows());
});

describe.each(Object.entries(TABLES))('each act of a run to %s, and its undo', (_, { acts, scenes }) => {
  it.each(FAULT_NAMES)(`%s, at each of ${acts.length}`, async (kind) => {
    const { points }: FaultKind = FAULTS[kind];
    const broken: string[] = [];
    for (const name of acts) {
      for (const point of points) {
        const schedule = cell(name, kind, point, scenes);
        const { violations, struck } = await simulate(code, schedule);
        if (struck !== schedule.faults.length) broken.push(`${point} ${name}: the fault did not strike`);
        if (violations.length > 0) broken.push(`${point} ${name}: ${violations.join('; ')}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
