/**
 * Every step of the cluster phases, from the table of steps: what it says while it waits, and what an API that is down makes of it.
 * @module
 */
import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import {
  CLUSTER_PHASES,
  failureOf,
  performApproved,
  SPEC,
  startInstalled,
  start,
  perform,
} from '../../../test/support/cluster-site.js';
import { kubeconfigOf } from '../../domain/cluster/nested.js';
import { FAILURES } from '../../domain/run/failures.js';
import { stepsOf } from '../../domain/run/steps.js';
import { ProvisionError } from '../../ports/failure.js';

/** A kind and a name, as `HelmRelease cozy-linstor/linstor`; LINSTOR's own words have none. */
const NAMES_AN_OBJECT = /\b[A-Z][A-Za-z]+ [a-z0-9][-a-z0-9./]+|MachineDeployment|no Node has the address|LINSTOR/;

it('is tried again by itself while the API is down, says what is not ready by name, and does nothing twice', async () => {
  // The cluster moves on only while somebody waits for it: otherwise it may be ready before the step looks.
  const turns = new EventEmitter();
  const site = await start({ pace: (signal) => once(turns, 'next', { signal }) });
  const ctx = site.context({ ...SPEC, cluster: { ...SPEC.cluster, acceptance: 'all' } });
  const said: string[] = [];
  for (const phase of CLUSTER_PHASES)
    for (const { name } of stepsOf(phase, 'all')) {
      const onWait = ({ type, message }: ProvisionError): void => {
        if (type === 'NotReadyYet') said.push(`${name}: ${message}`);
        turns.emit('next');
      };
      site.setDown(true);
      const cut = await performApproved(name, ctx, { limitMs: 0 }).catch((error: unknown) => error);
      expect(cut, name).toBeInstanceOf(ProvisionError);
      expect(cut, name).toMatchObject({ message: expect.stringMatching(/connection refused|does not answer/) });
      expect(FAILURES[(cut as ProvisionError).type].retryable, `${name}: ${String(cut)}`).toBe(true);
      site.setDown(false);
      await performApproved(name, ctx, { onWait });
      expect((await performApproved(name, ctx, { onWait })).changed, name).toBe(false);
    }
  expect(said.filter((line) => !NAMES_AN_OBJECT.test(line))).toEqual([]);
  const waited = new Set(said.map((line) => line.split(':', 1)[0]));
  // What was just asked for cannot be there yet; a wait after another wait may find its own over.
  const steps = CLUSTER_PHASES.flatMap((phase) => stepsOf(phase, 'all'));
  const first = steps.filter((step, i) => step.policy === 'cluster-wait' && steps[i - 1]?.policy === 'cluster-change');
  expect([...waited]).toEqual(expect.arrayContaining(first.map((step) => step.name)));
});

it('a ClusterPolicy that is ready because there is no node yet proves no GPU', async () => {
  const site = await startInstalled({ faults: [{ effect: 'vm-never-starts' }] });
  const ctx = site.context();
  for (const phase of ['kubevirt', 'nested-cluster'] as const)
    for (const { name } of stepsOf(phase))
      if (name !== 'nested.await-nodes' && name !== 'nested.await-gpus') await perform(name, ctx);
  const [nested] = SPEC.cluster.nested;
  if (nested === undefined) throw new Error('no nested cluster');
  const failure = await failureOf('nested.await-gpus', 'ClusterPolicy is ready', ctx);
  expect(failure).toMatchObject({
    type: 'NotReadyYet',
    message: expect.stringMatching(/0 of 1 .*ClusterPolicy is ready/),
  });
  const inner = await ctx.clusters.nested(SPEC, kubeconfigOf(nested));
  expect(await inner.list({ apiVersion: 'v1', kind: 'Node' })).toEqual([]);
});
