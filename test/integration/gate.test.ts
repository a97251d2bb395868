import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { ISOLATION, type Site, withSite } from './rig.js';
import { story } from '../support/provision-run.js';

const isolated = (site: Site): boolean =>
  site.spec.gpus.addresses.every((a) => site.host.drivers().get(a) === 'vfio-pci');

describe.concurrent('while the approval waits', () => {
  it('a power cut boots known-good once, does not loop, and the question is asked again', () =>
    withSite({}, async (site) => {
      const run = await site.begin(ISOLATION);
      const { question } = await run.untilAsked('reboot');
      site.host.powerCut();
      site.host.powerOn();
      await site.host.waitFor((host) => host.isUp);
      expect(site.host.boots.at(-1)?.entry).toBe('gpu-provision-known-good');
      await run.decide('approve', { gate: 'reboot', digest: question?.digest ?? '' });
      await run.approve('reboot#2');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(site.host.boots).toHaveLength(3);
      expect(isolated(site)).toBe(true);
    }));

  it('a cancel takes everything away again, without a reboot', () =>
    withSite({}, async (site) => {
      const boots = site.host.boots.length;
      const run = await site.begin(ISOLATION);
      await run.untilAsked('reboot');
      await run.handle.cancel();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('restored');
      expect(status.failure?.type).toBe('Cancelled');
      expect(site.host.boots).toHaveLength(boots);
      expect(site.host.readFile('/etc/initramfs-tools/scripts/init-top/vfio-pci-override')).toBeNull();
      expect(site.host.readFile('/boot/grub/custom.cfg')).toBeNull();
    }));

  it('somebody who edits a staged file voids the approval', () =>
    withSite({}, async (site) => {
      const run = await site.begin(ISOLATION);
      const { question } = await run.untilAsked('reboot');
      site.host.writeFile('/boot/grub/custom.cfg', `${site.host.readFile('/boot/grub/custom.cfg') ?? ''}\n# edited\n`);
      await run.decide('approve', { gate: 'reboot', digest: question?.digest ?? '' });
      const again = await run.untilAsked('reboot#2');
      expect(again.events.some((e) => e.kind === 'drift' && e.text.includes('/boot/grub/custom.cfg changed'))).toBe(
        true,
      );
      expect(site.host.rebootRequests).toHaveLength(0);
      await run.decide('reject', { gate: 'reboot' });
      expect((await run.end()).outcome).toBe('rejected');
    }));

  it('a second start of the same server is refused', () =>
    withSite({}, async (site) => {
      const run = await site.begin(ISOLATION);
      await run.untilAsked('reboot');
      await expect(site.begin(ISOLATION)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
      await run.decide('reject', { gate: 'reboot' });
      await run.end();
    }));

  it('a run that is terminated leaves an open ledger; the next start undoes it and goes on', () =>
    withSite({}, async (site) => {
      const first = await site.begin(ISOLATION);
      await first.untilAsked('reboot');
      const hook = site.host.readFile('/etc/initramfs-tools/scripts/init-top/vfio-pci-override');
      expect(hook).not.toBeNull();
      await first.handle.terminate('somebody should not have done this');
      const second = await site.begin(ISOLATION);
      const asked = await second.untilAsked('reboot');
      expect(asked.events.some((e) => e.text.includes('left its changes behind'))).toBe(true);
      await second.approve();
      const status = await second.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(isolated(site)).toBe(true);
    }));
});

describe.concurrent('what stops a run', () => {
  it('a foreign VM: refused, and nothing on the host has changed', () =>
    withSite({}, async (site) => {
      site.host.startWorkload({ kind: 'qemu', command: 'qemu-system-x86_64 -name db-0 -m 4096' });
      const before = site.host.snapshot(['/etc', '/boot', '/usr', '/var/lib']);
      const status = await (await site.begin(ISOLATION)).end();
      expect(status.outcome, story(status)).toBe('refused');
      expect(status.failure?.message).toContain('workloads.vm');
      expect(site.host.snapshot(['/etc', '/boot', '/usr', '/var/lib'])).toEqual(before);
    }));

  it('another host key after the reboot: both fingerprints, and the BMC leaves the host alone', () =>
    withSite({}, async (site) => {
      const run = await site.begin(ISOLATION);
      await run.untilAsked('reboot');
      site.rack.faults.add({ at: 'host-key', effect: { kind: 'new-host-key' } });
      await run.approve();
      const { question } = await run.untilAsked('needs-hands');
      expect(question?.text.match(/SHA256:/g)?.length).toBeGreaterThanOrEqual(2);
      expect(site.bmc.resets).toHaveLength(0);
    }));
});

describe.concurrent('crashes', () => {
  it('a worker that goes away during the reboot changes nothing: one reboot, and the run goes on', () =>
    withSite({}, async (site) => {
      const run = await site.begin(ISOLATION);
      await run.approve();
      await site.host.waitFor((host) => host.rebootRequests.length > 0, 'a reboot request', 60_000);
      await site.stopWorker();
      await site.startWorker();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(site.host.rebootRequests).toHaveLength(1);
      expect(site.host.boots).toHaveLength(2);
    }));

  it('a link that breaks during the build does not build twice', () =>
    withSite(
      { faults: [{ at: 'ssh', match: 'update-initramfs', effect: { kind: 'drop-link', when: 'during' } }] },
      async (site) => {
        const run = await site.begin(ISOLATION);
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('provisioned');
        const builds = site.host
          .commands()
          .filter((line) => line.includes('systemd-run') && line.includes('update-initramfs'));
        expect(builds).toHaveLength(1);
      },
    ));
});
