import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { KNOWN_GOOD_DIR } from '../domain/host-layout.js';
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

  it('shows checks, changes in the order of the phases, the reboot and the devices that move, and leaves no trace', async () => {
    const before = server.host.snapshot(['/etc', '/boot', '/var', '/usr']);
    const found = await plan({
      kubevirt: {
        'kubevirt.x': step(() => Promise.resolve([{ sign: '~', kind: 'object', what: 'KubeVirt', diff: '' }])),
      },
      'node-preparation': preparationSteps,
    });
    expect(server.host.snapshot(['/etc', '/boot', '/var', '/usr'])).toEqual(before);
    expect(found.checks.filter((check) => check.severity === 'block')).toEqual([]);
    expect(found.host.serial).toBe(server.host.serial);
    expect(found.devices).toHaveLength(8);
    expect(found.devices[0]).toMatchObject({ driver: 'nvidia' });

    const changes = found.changes.map((change) => `${change.sign} ${change.kind} ${change.what}`);
    expect(changes).toEqual(
      expect.arrayContaining([
        expect.stringMatching(new RegExp(`^\\+ file ${KNOWN_GOOD_DIR}/[0-9a-f]{16}/vmlinuz$`)) as string,
        '+ package nfs-common',
        '+ module br_netfilter',
        '+ file /etc/sysctl.d/99-zz-gpu-provision.conf',
        '~ file /etc/lvm/lvm.conf',
      ]),
    );
    expect(changes.slice(-4)).toEqual([
      '~ image /boot/initrd.img-6.8.0-58-generic',
      '~ image /boot/initrd.img-6.8.0-60-generic',
      '+ reboot h100-01',
      '~ object KubeVirt',
    ]);
    expect(found.changes.find((change) => change.what.endsWith('lvm.conf'))?.diff).toContain(
      '+\tglobal_filter = ["r|^/dev/drbd',
    );
  });

  it('fails, naming the step, rather than show a plan with a hole', async () => {
    const failing = step(() => Promise.reject(new ProvisionError('OutputUnexpected', 'garbled')));
    await expect(plan({ k3s: { 'k3s.install': failing } })).rejects.toMatchObject({
      type: 'OutputUnexpected',
      message: 'planning k3s.install: garbled',
    });
  });
});
