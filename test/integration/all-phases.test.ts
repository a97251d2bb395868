import { expect, it } from 'vitest';
import type { ServerSpec } from '../../src/domain/spec.js';
import { suiteWithClusters } from '../support/clusters.js';
import { ALL_PHASES, Site } from './rig.js';
import { story } from '../support/provision-run.js';

suiteWithClusters();

/** What the report has to show for each phase, read back from host and cluster. */
const EVIDENCE: Readonly<Record<string, object>> = {
  'preparation.copy-known-good': { vmlinuz: expect.stringMatching(/^[0-9a-f]{64}$/) },
  'k3s.await-node': { kubelet: 'v1.35.3+k3s1' },
  'isolation.write-hook': { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  'cozystack.install-operator': { version: '1.5.4' },
  'cozystack.create-pool': { kind: 'ZFS' },
  'cozystack.await-platform': { releases: 17 },
  'kubevirt.await-allocatable': { allocatable: 8 },
  'nested.await-gpus': { main: 2 },
  'acceptance.await-job': { proven: 8, total: 8, gpus: { length: 8 }, minimums: { model: 'H100 SXM5 80GB' } },
};

it('takes a fresh server through all eight phases to a job on every GPU, and a second run changes nothing', async () => {
  const site = await Site.start();
  try {
    // Two GPUs are in the nested cluster, and six in one that is made for the proof and deleted.
    const all: ServerSpec = { ...site.spec, cluster: { ...site.spec.cluster, acceptance: 'all' } };
    const run = await site.begin(ALL_PHASES, all);
    await run.approve();
    await run.approve('disks');
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(status.phases.map((p) => p.state)).toEqual(Array.from({ length: 8 }, () => 'done'));
    expect(status.devices).toMatchObject({ ok: true, rows: { length: 8 } });
    const facts = new Map(status.phases.flatMap((p) => p.steps).map((step) => [step.name, step.facts]));
    for (const [step, evidence] of Object.entries(EVIDENCE)) expect(facts.get(step), step).toMatchObject(evidence);
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
