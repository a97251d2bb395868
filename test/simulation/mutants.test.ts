import { beforeAll, describe, expect, it } from 'vitest';
import { bundledWorkflows } from '../support/workflow-bundle.js';
import { firstBroken } from './campaign.js';
import { mutated, MUTANTS } from './mutants.js';
import { WorkflowCode } from './workflow-instance.js';

const SEEDS = 200;

let bundle: string;
beforeAll(async () => {
  bundle = await bundledWorkflows();
});

describe('an invariant that is broken on purpose', () => {
  it.each(MUTANTS)('$what: is noticed', async (mutant) => {
    const code = new WorkflowCode(mutated(bundle, mutant));
    const broken = await firstBroken(code, { from: 1, count: SEEDS }, mutant.guards, mutant.draw);
    expect(broken, `none of ${SEEDS} seeds noticed`).not.toBeNull();
    console.log(`seed ${broken?.seed}: ${broken?.run.violations[0]}`);
  });
});
