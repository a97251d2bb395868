import { expect, it } from 'vitest';
import { suiteWithClusters } from '../support/clusters.js';
import { ALL_PHASES, Site } from './rig.js';
import { story } from '../support/provision-run.js';

suiteWithClusters();

it('takes a fresh server through all eight phases to a GPU job, and a second run changes nothing', async () => {
  const site = await Site.start();
  try {
    const run = await site.begin(ALL_PHASES);
    await run.approve();
    await run.approve('disks');
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(status.phases.map((p) => p.state)).toEqual(Array.from({ length: 8 }, () => 'done'));
    const before = site.snapshot();
    const again = await (await site.begin(ALL_PHASES)).end();
    expect(again.outcome, story(again)).toBe('provisioned');
    expect(again.phases.flatMap((p) => p.steps.filter((s) => s.state === 'done').map((s) => s.name))).toEqual([
      // Every run takes the lock for itself.
      'preparation.claim-host',
    ]);
    expect(site.snapshot()).toEqual(before);
    expect(site.host.boots).toHaveLength(2);
  } finally {
    await site.close();
  }
});
