import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../lab/rack/index.js';
import { type Site, withSite } from './rig.js';
import { story, type ProvisionRun } from '../support/provision-run.js';

const IMAGE = '/boot/initrd.img-6.8.0-60-generic';
const KERNEL = '/boot/vmlinuz-6.8.0-60-generic';
const CUSTOM_CFG = '/boot/grub/custom.cfg';
const KNOWN_GOOD = 'gpu-provision-known-good';
const TRIAL = 'gpu-provision-trial';

/** What makes every trial fail once it runs. */
const CLINGING: FaultRule = {
  at: 'pci-bind',
  match: '0000:87:00.0',
  boot: 'gpu-provision.trial=',
  effect: { kind: 'native-wins' },
  times: 9,
};
/** Every boot but those of our entries hangs before it has a root file system. */
const ORDINARY_HANGS: FaultRule = {
  at: 'boot',
  match: 'mount-root',
  boot: /^(?!.*gpu-provision)/,
  effect: { kind: 'hang' },
  times: 9,
};

/** A run that is approved after somebody did something on the host that voids the first question. */
async function approvedAfter(site: Site, meddling: string): Promise<ProvisionRun> {
  const run = await site.begin();
  const { question } = await run.untilAsked('reboot');
  expect(await site.host.execute(`${meddling}; sync`)).toMatchObject({ exitCode: 0 });
  await run.decide('approve', { gate: 'reboot', digest: question?.digest ?? '' });
  await run.approve('reboot#2');
  return run;
}

const entries = (site: Site): readonly (string | null)[] => site.host.boots.slice(1).map(({ entry }) => entry);
const isOrdinary = (entry: string | null | undefined): boolean => entry?.startsWith('gnulinux-simple-') === true;

describe.concurrent("the undo's own reboot", () => {
  it('into an image that somebody rebuilt and that hangs: back in known-good after one power cycle', () =>
    withSite(
      {
        faults: [CLINGING, ORDINARY_HANGS],
        boot: { ladder: { waitSeconds: 8, lookSeconds: 1, gracefulSeconds: 1, powerCycleSeconds: 30 } },
      },
      async (site) => {
        const run = await approvedAfter(site, 'update-initramfs -u -k all');
        const status = await run.untilAsked('needs-hands');
        expect(status.question?.text).toContain(`did not come up: not what booted before: ${IMAGE}`);
        expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 1 });
        expect(entries(site).map((entry) => (isOrdinary(entry) ? 'ordinary' : entry))).toEqual([
          TRIAL,
          'ordinary',
          KNOWN_GOOD,
        ]);
        expect(site.host).toMatchObject({ isUp: true, power: 'on' });
        expect(site.host.grubSees(CUSTOM_CFG)).toContain(`set default=${KNOWN_GOOD}`);

        site.rack.faults.clear();
        await run.decide('resume', { gate: 'needs-hands', reason: 'took the driver out that hung' });
        const ended = await run.end();
        expect(ended.outcome, story(ended)).toBe('restored');
        expect(isOrdinary(site.host.boots.at(-1)?.entry)).toBe(true);
        expect(site.host.readFile(CUSTOM_CFG)).toBeNull();
      },
    ));

  it('into an image that somebody rebuilt and that boots: as before, with their image; orphans are left alone', () =>
    withSite(
      { faults: [CLINGING], host: { files: { '/boot/initrd.img-6.8.0-31-generic': 'its kernel was purged' } } },
      async (site) => {
        const run = await approvedAfter(site, 'update-initramfs -u -k all');
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');
        expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
        expect(isOrdinary(site.host.boots.at(-1)?.entry)).toBe(true);
        expect(site.host.grubSees(CUSTOM_CFG)).toBeNull();
        expect((await site.host.execute(`lsinitramfs ${IMAGE}`)).stdout).not.toContain('vfio-pci-override');
        expect(site.host.readFile('/boot/initrd.img-6.8.0-31-generic')).toBe('its kernel was purged');
        const inspected = status.phases
          .flatMap(({ steps }) => steps)
          .find((s) => s.name === 'isolation.inspect-images');
        expect(inspected?.summary).toContain('kernel is gone: /boot/initrd.img-6.8.0-31-generic');
      },
    ));

  it('when the power is cut before it is ordered: in known-good, and ordered again', () =>
    withSite(
      {
        faults: [
          CLINGING,
          {
            at: 'program',
            match: /^grub-editenv \S+ set gp_trial=1/,
            skip: 1,
            effect: { kind: 'power-cut', restoreAfterMs: 300 },
          },
        ],
      },
      async (site) => {
        const run = await site.begin();
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');
        expect(entries(site).slice(0, 2)).toEqual([TRIAL, KNOWN_GOOD]);
        expect(isOrdinary(site.host.boots.at(-1)?.entry)).toBe(true);
        expect(site.host.readFile(CUSTOM_CFG)).toBeNull();
      },
    ));

  it('with a kernel that was damaged: stays in known-good, and the reason names the file', () =>
    withSite({}, async (site) => {
      const run = await site.begin();
      await run.untilAsked('reboot');
      await site.host.execute(`truncate -s 0 ${KERNEL}; sync`);
      await run.approve();
      const status = await run.untilAsked('needs-hands');
      expect(status.question?.text).toContain(`${KERNEL} is not the kernel that booted`);
      // The trial reboots by itself when GRUB can't load its kernel; the ordinary entry, which would not, is not tried.
      expect(entries(site)).toEqual([KNOWN_GOOD]);
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });

      await site.host.execute(`cp /boot/gpu-provision/known-good/*/vmlinuz ${KERNEL}; sync`);
      await run.decide('resume', { gate: 'needs-hands', reason: 'kernel put back' });
      const ended = await run.end();
      expect(ended.outcome, story(ended)).toBe('restored');
    }));

  it('with a GRUB that cannot write its environment: in known-good, never past the entry that is proven', () =>
    withSite({ faults: [{ at: 'grub-save-env', effect: { kind: 'refuse' }, times: 9 }] }, async (site) => {
      const run = await site.begin();
      await run.approve();
      const status = await run.untilAsked('needs-hands');
      expect(status.failure?.message).toContain('fell-back');
      expect(status.question?.text).toContain('GRUB did not consume the order');
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 2, powerCycles: 0 });
      expect(entries(site)).toEqual([KNOWN_GOOD, KNOWN_GOOD, KNOWN_GOOD]);
      expect(site.host.isUp).toBe(true);
    }));
});
