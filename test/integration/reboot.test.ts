import { describe, expect, it } from 'vitest';
import { story } from '../support/provision-run.js';
import { entries, provision, type Site, verdict, withSite } from './rig.js';

const CUSTOM_CFG = '/boot/grub/custom.cfg';
const KNOWN_GOOD = 'gpu-provision-known-good';
/** Only in a boot of the trial entry. */
const TRIAL = 'gpu-provision.trial=';
const PARKED = 'parked:gpu-isolation';
/** Several runs on a machine that others work on. */
const LIMIT_MS = 900_000;

/** What isolation may touch, without the line that names the run and what GRUB itself writes. */
function files(site: Site): ReadonlyMap<string, unknown> {
  return new Map([...site.snapshot()].filter(([path]) => path !== CUSTOM_CFG && path !== '/boot/grub/grubenv'));
}

const menu = (site: Site): string | undefined => site.host.readFile(CUSTOM_CFG)?.replace(/run \S+\. /, '');

describe.concurrent('rebooting a provisioned host', () => {
  it('ends in the proven entry with every file as it was committed', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      const empty = await (await site.beginDay2('reboot')).end();
      expect(empty.outcome, story(empty)).toBe('refused');
      expect(empty.failure?.message).toContain('no run has committed anything here');

      await provision(site);
      const committed = { files: files(site), menu: menu(site) };

      const cancelled = await site.beginDay2('reboot');
      const { question, plan } = await cancelled.untilAsked('reboot');
      expect(question?.text).toContain('into its proven entry');
      expect(plan).toMatchObject({ boots: 'proven', imagesRebuilt: 0, workloads: { vms: [] } });
      await cancelled.handle.cancel();
      await cancelled.end();
      expect({ files: files(site), menu: menu(site) }).toEqual(committed);
      expect(entries(site)).toHaveLength(2);

      const run = await site.beginDay2('reboot');
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('rebooted');
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
      expect(status.devices).toMatchObject({ ok: true });
      expect({ files: files(site), menu: menu(site) }).toEqual(committed);
      expect(entries(site)).toHaveLength(3);
      expect(site.host.boots.at(-1)?.commandLine).toContain(`gpu-provision.trial=${status.runId}`);
      expect(await verdict(site)).toEqual({ found: 'ok', wrong: [] });

      // As after an upgrade that nobody held.
      await site.host.execute('echo vfio >> /etc/initramfs-tools/modules');
      const drifted = await (await site.beginDay2('reboot')).end();
      expect(drifted.outcome, story(drifted)).toBe('refused');
      expect(drifted.failure?.message).toContain('boot.file: /etc/initramfs-tools/modules is not as it was committed');
      expect(entries(site)).toHaveLength(3);
    }),
  );

  it(
    'that fails ends in known-good; given up, terminated or resumed, the next attempt goes on from there',
    { timeout: LIMIT_MS },
    () =>
      withSite({ limitMs: LIMIT_MS }, async (site) => {
        await provision(site);
        const committed = { files: files(site), menu: menu(site) };
        const expectKnownGood = (): void => {
          expect(entries(site).at(-1)).toBe(KNOWN_GOOD);
          expect(site.host.readFile(CUSTOM_CFG)).toContain(`set default=${KNOWN_GOOD}`);
          for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('nvidia');
        };

        site.rack.faults.add({ at: 'boot', match: 'kernel', boot: TRIAL, effect: { kind: 'panic' } });
        const panics = await site.beginDay2('reboot');
        await panics.approve();
        const parked = await panics.untilAsked(PARKED);
        expect(parked.question?.text, story(parked)).toContain('fell-back');
        expectKnownGood();
        await panics.answer('reject', PARKED);
        const given = await panics.end();
        expect(given.outcome, story(given)).toBe('incomplete');
        expect(given.findings.map(({ text }) => text).join()).toContain('the host runs known-good');
        const { wrong } = (await verdict(site)) as { readonly wrong: readonly string[] };
        expect(wrong.join()).toContain(`boot.unfinished: the reboot of run ${given.runId} ended before`);

        site.rack.faults.add({
          at: 'pci-bind',
          match: '0000:87:00.0',
          boot: TRIAL,
          effect: { kind: 'native-wins' },
          times: 9,
        });
        const clings = await site.beginDay2('reboot');
        await clings.approve();
        const { question, counts } = await clings.untilAsked(PARKED);
        expect(question?.text).toContain('0000:87:00.0: driver is nvidia, expected vfio-pci');
        expect(counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
        expectKnownGood();
        await clings.handle.terminate('as somebody may');

        site.rack.faults.clear();
        site.rack.faults.add({ at: 'boot', match: 'kernel', boot: TRIAL, effect: { kind: 'panic' } });
        const run = await site.beginDay2('reboot');
        await run.approve();
        await run.answer('resume', PARKED);
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('rebooted');
        expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
        expect({ files: files(site), menu: menu(site) }).toEqual(committed);
        expect(await verdict(site)).toEqual({ found: 'ok', wrong: [] });
      }),
  );
});
