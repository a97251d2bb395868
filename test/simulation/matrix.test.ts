import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTS, type FaultKind } from '../faults.js';
import { bundledWorkflows } from '../support/workflow-bundle.js';
import { ACTS, cell, FAULT_NAMES } from './matrix.js';
import { simulate } from './simulate.js';
import { WorkflowCode } from './workflow-instance.js';

let code: WorkflowCode;
beforeAll(async () => {
  code = new WorkflowCode(await bundledWorkflows());
});

describe(`each of ${ACTS.length} acts of a run, and their undos`, () => {
  it.each(FAULT_NAMES)('%s', async (kind) => {
    const { points }: FaultKind = FAULTS[kind];
    const broken: string[] = [];
    for (const name of ACTS) {
      for (const point of points) {
        const schedule = cell(name, kind, point);
        const { violations, struck } = await simulate(code, schedule);
        if (struck !== schedule.faults.length) broken.push(`${point} ${name}: the fault did not strike`);
        if (violations.length > 0) broken.push(`${point} ${name}: ${violations.join('; ')}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
