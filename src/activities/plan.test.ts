import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import type { PlanPreview } from '../domain/preflight.js';
import { ProvisionError } from '../ports/failure.js';
import type { StepImplementation } from './define-step.js';
import { preparationSteps } from './node-preparation.js';
import { planActivities, type PreviewedPhases } from './plan.js';

const step = (preview: NonNullable<StepImplementation['preview']>): StepImplementation => ({
  preview,
  apply: () => Promise.reject(new Error('a plan applies nothing')),
  verify: () => Promise.reject(new Error('a plan verifies nothing')),
});

/** Generous: a host of the rack is cheap, a machine full of tests is not. */
const PATIENCE = { timeout: 60_000 };

describe('the read-only plan', PATIENCE, () => {
  let server: RackHost;
  beforeAll(async () => {
    server = await startRackHost();
  });
  afterAll(() => server.close());

  const plan = (phases: PreviewedPhases): Promise<PlanPreview> =>
    new MockActivityEnvironment().run(planActivities(server.adapters, phases)['plan.preview'], {
      spec: server.spec,
      run: { id: 'plan', epoch: 0 },
    });

  it('shows checks, changes in the order of the phases, the reboot, and the devices that move', async () => {
    const found = await plan({
      kubevirt: {
        'kubevirt.x': step(() => Promise.resolve([{ sign: '~', kind: 'object', what: 'KubeVirt', diff: '' }])),
      },
      'node-preparation': preparationSteps,
    });
    expect(found.checks.filter((check) => check.severity === 'block')).toEqual([]);
    expect(found.host.serial).toBe(server.host.serial);
    expect(found.devices).toHaveLength(8);
    expect(found.devices[0]).toMatchObject({ driver: 'nvidia' });
    const phases = found.changes.map((change) => change.phase);
    expect(phases).toEqual(phases.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)));
    expect(found.changes.filter((change) => change.kind === 'reboot')).toHaveLength(1);
    expect(found.changes.filter((change) => change.kind === 'image').map((change) => change.what)).toEqual([
      '/boot/initrd.img-6.8.0-58-generic',
      '/boot/initrd.img-6.8.0-60-generic',
    ]);
    expect(found.changes.find((change) => change.what.endsWith('lvm.conf'))?.diff).toContain(
      '+\tglobal_filter = ["r|^/dev/drbd',
    );
  });

  it('leaves no trace on the host', async () => {
    const before = server.host.snapshot(['/etc', '/boot', '/var', '/usr']);
    await plan({ 'node-preparation': preparationSteps });
    expect(server.host.snapshot(['/etc', '/boot', '/var', '/usr'])).toEqual(before);
  });

  it('fails, naming the step, rather than show a plan with a hole', async () => {
    const failing = step(() => Promise.reject(new ProvisionError('OutputUnexpected', 'garbled')));
    await expect(plan({ k3s: { 'k3s.install': failing } })).rejects.toMatchObject({
      type: 'OutputUnexpected',
      message: 'planning k3s.install: garbled',
    });
  });
});

const ORDER = ['node-preparation', 'gpu-isolation', 'kubevirt'];
