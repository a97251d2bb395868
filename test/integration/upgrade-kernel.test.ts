import { describe, expect, it, vi } from 'vitest';
import { LATER_KERNEL } from '../../lab/rack/packages/table.js';
import { ROOT_UUID } from '../../lab/rack/machine/file-systems.js';
import { unitPattern } from '../../src/domain/host-layout.js';
import { story } from '../support/provision-run.js';
import { entries, provision, type Site, verdict, withSite } from './rig.js';

const CUSTOM_CFG = '/boot/grub/custom.cfg';
const KNOWN_GOOD = 'gpu-provision-known-good';
const TRIAL = 'gpu-provision-trial';
const HOOK = '/etc/initramfs-tools/scripts/init-top/vfio-pci-override';
const OLD = '6.8.0-60-generic';
const NEW = '6.8.0-62-generic';
/** Only in a boot of the new kernel. */
const BOOT_OF_NEW = `vmlinuz-${NEW}`;
/** Several runs on a machine that others work on. */
const LIMIT_MS = 900_000;

async function change(site: Site, command: string): Promise<string> {
  const result = await site.host.execute(command);
  expect(result, command).toMatchObject({ exitCode: 0 });
  return result.stdout;
}

/** Files, packages and holds, without the line that names the run and what GRUB itself writes. */
async function state(site: Site): Promise<unknown> {
  const files = [...site.snapshot()].filter(([path]) => path !== CUSTOM_CFG && path !== '/boot/grub/grubenv');
  return {
    files: Object.fromEntries(files),
    menu: site.host.readFile(CUSTOM_CFG)?.replace(/run \S+\. /, ''),
    packages: await change(site, "dpkg-query -W -f '${Package} ${Status} ${Version}\\n'"),
  };
}

const CLEAN = { found: 'ok', wrong: [] };

const installs = (site: Site): readonly string[] =>
  site.host.programs().filter((line) => line.startsWith('apt-get install') && line.includes('linux-image'));

function expectIsolated(site: Site): void {
  for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('vfio-pci');
}

describe.concurrent('upgrading the kernel of a provisioned host', () => {
  it('ends in the new kernel, proven, held and committed; again, rebooted, and given back', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      await provision(site);

      const run = await site.beginDay2('upgrade-kernel');
      const { plan, question } = await run.untilAsked('reboot');
      expect(question?.text).toContain(`installs kernel ${NEW} beside ${OLD}`);
      expect(plan).toMatchObject({ boots: 'kernel', upgrade: { from: OLD, to: NEW } });
      expect(plan?.upgrade?.packages.map(({ name }) => name)).toEqual(
        ['headers', 'image', 'modules', 'modules-extra'].map((part) => `linux-${part}-${NEW}`),
      );
      expect(installs(site)).toEqual([]);
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('upgraded');
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
      expect((await change(site, 'uname -r')).trim()).toBe(NEW);
      expect((await change(site, 'apt-mark showhold')).split('\n')).toContain(`linux-image-${NEW}`);
      expect(site.host.readFile(CUSTOM_CFG)).not.toContain(`set default=${KNOWN_GOOD}`);
      expectIsolated(site);
      expect(await verdict(site)).toEqual(CLEAN);

      const upgraded = await state(site);
      const nothing = await (await site.beginDay2('upgrade-kernel')).end();
      expect(nothing.outcome, story(nothing)).toBe('refused');
      expect(nothing.failure?.message).toContain(`bring no kernel newer than ${NEW}`);
      expect(await state(site)).toEqual(upgraded);
      expect(entries(site)).toHaveLength(3);

      site.host.publish(LATER_KERNEL.pocket);
      const later = await site.beginDay2('upgrade-kernel');
      await later.approve();
      const second = await later.end();
      expect(second.outcome, story(second)).toBe('upgraded');
      expect((await change(site, 'uname -r')).trim()).toBe(LATER_KERNEL.release);
      expect(await verdict(site)).toEqual(CLEAN);

      const reboot = await site.beginDay2('reboot');
      await reboot.approve();
      const rebooted = await reboot.end();
      expect(rebooted.outcome, story(rebooted)).toBe('rebooted');
      expect(site.host.boots.at(-1)?.commandLine).toContain(LATER_KERNEL.release);
      expect(await verdict(site)).toEqual(CLEAN);

      const back = await site.beginDay2('decommission');
      await back.approve('decommission');
      const given = await back.end();
      expect(given.outcome, story(given)).toBe('decommissioned');
      expect(site.host.boots.at(-1)?.commandLine).toContain(LATER_KERNEL.release);
      for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('nvidia');
      for (const kernel of [OLD, NEW, LATER_KERNEL.release])
        expect(await change(site, `lsinitramfs /boot/initrd.img-${kernel}`)).not.toMatch(/vfio-pci-override/);
      expect(await change(site, 'apt-mark showhold')).toBe('');
    }),
  );

  it('that fails takes the kernel away, and ends in the entry that was proven', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      await provision(site);
      const before = await state(site);

      const rejected = await site.beginDay2('upgrade-kernel');
      await rejected.answer('reject', 'reboot');
      expect((await rejected.end()).outcome).toBe('rejected');
      expect(await state(site)).toEqual(before);

      // As when a hook of the site breaks: update-initramfs copies the script, and leaves it out of the order.
      await change(site, `chmod 644 ${HOOK}`);
      const lacks = await site.beginDay2('upgrade-kernel');
      await lacks.approve();
      const lacking = await lacks.end();
      expect(lacking.outcome, story(lacking)).toBe('restored');
      expect(lacking.failure?.message).toContain(`/boot/initrd.img-${NEW}: `);
      expect(lacking.counts).toEqual({ forwardReboots: 0, undoReboots: 0, powerCycles: 0 });
      await change(site, `chmod 755 ${HOOK}`);
      expect(await state(site)).toEqual(before);
      expect(await verdict(site)).toEqual(CLEAN);

      site.rack.faults.add({ at: 'boot', match: 'kernel', boot: BOOT_OF_NEW, effect: { kind: 'panic' } });
      const panics = await site.beginDay2('upgrade-kernel');
      await panics.approve();
      const panicked = await panics.end();
      expect(panicked.outcome, story(panicked)).toBe('restored');
      expect(panicked.failure?.message).toContain('reboot 1: fell-back');
      expect(panicked.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
      expect(entries(site).slice(-3)).toEqual([TRIAL, KNOWN_GOOD, TRIAL]);
      expect(site.host.boots.at(-1)?.commandLine).toContain(`vmlinuz-${OLD}`);
      expect(await state(site)).toEqual(before);
      expect(await verdict(site)).toEqual(CLEAN);

      site.rack.faults.add({
        at: 'pci-bind',
        match: '0000:87:00.0',
        boot: BOOT_OF_NEW,
        effect: { kind: 'native-wins' },
        times: 9,
      });
      const clings = await site.beginDay2('upgrade-kernel');
      await clings.approve();
      const clung = await clings.end();
      expect(clung.outcome, story(clung)).toBe('restored');
      expect(clung.failure?.message).toContain('0000:87:00.0: driver is nvidia, expected vfio-pci');
      expect(clung.counts).toEqual({ forwardReboots: 1, undoReboots: 2, powerCycles: 0 });
      expectIsolated(site);
      expect(await state(site)).toEqual(before);
      expect(await verdict(site)).toEqual(CLEAN);

      site.rack.faults.clear();
      const run = await site.beginDay2('upgrade-kernel');
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('upgraded');
      expect(await verdict(site)).toEqual(CLEAN);
    }),
  );

  it(
    'installs once though the worker is killed meanwhile; what a terminated run left is ended first',
    { timeout: LIMIT_MS },
    () =>
      withSite({ limitMs: LIMIT_MS, host: { initramfsMilliseconds: 4_000 } }, async (site) => {
        await provision(site);
        const before = await state(site);

        const lost = await site.beginDay2('upgrade-kernel');
        await lost.approve();
        const { runId: lostId } = await lost.status();
        await site.host.waitFor(
          () => site.host.programs().some((line) => line.startsWith('update-initramfs -c')),
          'apt',
          60_000,
        );
        await lost.handle.terminate('as somebody may');
        expect(await verdict(site)).toMatchObject({ found: 'busy' });
        const reboot = await (await site.beginDay2('reboot')).end();
        expect(reboot.failure?.message).toContain(
          `kernel.unfinished: the upgrade of run ${lostId} to kernel ${NEW} ended before`,
        );
        // A run that comes while apt of the lost one is at work is refused.
        const atWork = `systemctl list-units '${unitPattern(lostId)}' --state=activating --plain --no-legend`;
        await vi.waitFor(async () => expect(await change(site, atWork)).toBe(''), { timeout: 60_000, interval: 100 });

        const run = await site.beginDay2('upgrade-kernel');
        await run.untilAsked('reboot');
        const settled = (await state(site)) as { readonly packages: string };
        expect(settled.packages).toBe((before as { readonly packages: string }).packages);
        const installed = installs(site).length;
        await run.approve();
        await site.host.waitFor(() => installs(site).length > installed, 'apt', 60_000);
        await site.stopWorker();
        await site.startWorker();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('upgraded');
        expect(installs(site)).toHaveLength(installed + 1);
        expect(await verdict(site)).toEqual(CLEAN);
      }),
  );

  it('is undone before a reboot where the menu goes on choosing the old kernel', { timeout: LIMIT_MS }, () => {
    const id = (kind: string): string => `gnulinux-${kind}advanced-${ROOT_UUID}`;
    const pinned = `GRUB_DEFAULT="${id('')}>${id(`${OLD}-`)}"\nGRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX_DEFAULT=""\n`;
    return withSite({ limitMs: LIMIT_MS, host: { files: { '/etc/default/grub': pinned } } }, async (site) => {
      await change(site, 'update-grub');
      await provision(site);
      const before = await state(site);
      const run = await site.beginDay2('upgrade-kernel');
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('restored');
      expect(status.failure?.message).toContain('GRUB_DEFAULT chooses it');
      expect(status.counts).toEqual({ forwardReboots: 0, undoReboots: 0, powerCycles: 0 });
      expect(await state(site)).toEqual(before);

      // Changed since: what taking the kernel away would make of the menu is another one.
      await change(site, `sed -i s/TIMEOUT=0/TIMEOUT=7/ /etc/default/grub`);
      const drifted = await (await site.beginDay2('upgrade-kernel')).end();
      expect(drifted.outcome, story(drifted)).toBe('refused');
      expect(drifted.failure?.message).toContain('update-grub would make another /boot/grub/grub.cfg');
    });
  });
});
