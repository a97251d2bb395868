import { describe, expect, it } from 'vitest';
import { story } from '../support/provision-run.js';
import { provision, type Site, withSite } from './rig.js';

const NOTE = '/var/lib/gpu-provision/ledger/notes/committed-files';
const CUSTOM_CFG = '/boot/grub/custom.cfg';
const KNOWN_GOOD = 'gpu-provision-known-good';
const LATER = '6.8.0-62-generic';
/** Three runs on a machine that others work on. */
const LIMIT_MS = 900_000;

async function change(site: Site, command: string): Promise<void> {
  expect(await site.host.execute(command), command).toMatchObject({ exitCode: 0 });
}

/** Of the boot files, without the copies that stay and what GRUB itself writes. */
function bootFiles(site: Site): ReadonlyMap<string, unknown> {
  const files = [...site.host.snapshot(['/boot'])];
  return new Map(files.filter(([path]) => !path.startsWith('/boot/gpu-provision') && path !== '/boot/grub/grubenv'));
}

function expectNativeDrivers(site: Site): void {
  for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address), address).toBe('nvidia');
}

describe.concurrent('decommissioning', () => {
  it('gives a committed host back as it was before the isolation, by hash', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      const boot = bootFiles(site);
      const prepared = await (await site.begin(['preflight', 'node-preparation'])).end();
      expect(prepared.outcome, story(prepared)).toBe('provisioned');
      const etc = site.host.snapshot(['/etc', '/usr/local']);
      await provision(site);

      // As an older version left it.
      await change(site, `mv ${NOTE} ${NOTE}.away`);
      const isolated = site.snapshot();
      const older = await (await site.beginDay2('decommission')).end();
      expect(older.outcome, story(older)).toBe('refused');
      expect(older.failure?.message).toContain('was committed by an older version, which kept no hashes');
      await change(site, `mv ${NOTE}.away ${NOTE}`);

      const rejected = await site.beginDay2('decommission');
      await rejected.answer('reject', 'decommission');
      expect((await rejected.end()).outcome).toBe('rejected');
      expect(site.snapshot()).toEqual(isolated);
      expect(site.host.boots).toHaveLength(2);

      const lost = await site.beginDay2('decommission');
      const { question } = await lost.untilAsked('decommission');
      expect(question?.text).toContain('8 GPUs back to the host: vfio-pci -> nvidia');
      expect(question?.text).not.toContain('hanged since');
      await lost.approve('decommission');
      await lost.until(({ compensations }) => compensations.length > 0);
      await lost.handle.terminate('as somebody may');

      // The next one finds a ledger that is open, and its note.
      const run = await site.beginDay2('decommission');
      await run.approve('decommission');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('decommissioned');
      expect(status.counts).toEqual({ forwardReboots: 0, undoReboots: 1, powerCycles: 0 });
      expectNativeDrivers(site);
      expect(bootFiles(site)).toEqual(boot);
      expect(site.host.snapshot(['/etc', '/usr/local'])).toEqual(etc);
      expect(site.host.boots.at(-1)?.commandLine).not.toContain('gpu-provision');

      const again = await (await site.beginDay2('decommission')).end();
      expect(again.outcome).toBe('refused');
      expect(again.failure?.message).toContain('no run has committed anything on this host');
    }),
  );

  it(
    'with a kernel that was installed since, and a power cut: its image loses the hook, and grub.cfg is made anew',
    { timeout: LIMIT_MS },
    () =>
      withSite({ limitMs: LIMIT_MS }, async (site) => {
        await provision(site);
        await change(site, `apt-get install -y linux-image-${LATER}`);
        // Of the undo: the images are back, and nothing has armed the ordinary entry yet.
        site.rack.faults.add({
          at: 'program',
          match: /^grub-editenv \S+ set gp_trial=1/,
          effect: { kind: 'power-cut', restoreAfterMs: 300 },
        });
        const run = await site.beginDay2('decommission');
        const { question } = await run.untilAsked('decommission');
        expect(question?.text).toContain(
          `made anew without the hook and its arguments: /boot/grub/grub.cfg, /boot/initrd.img-${LATER}`,
        );
        expect(question?.text).not.toContain('AND LOST');
        await run.approve('decommission');
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('decommissioned');
        expectNativeDrivers(site);
        expect(site.host.boots.slice(2).map(({ entry }) => (entry === KNOWN_GOOD ? entry : 'ordinary'))).toEqual([
          KNOWN_GOOD,
          'ordinary',
        ]);
        expect(site.host.boots.at(-1)?.commandLine).toContain(LATER);
        expect(site.host.readFile('/boot/grub/grub.cfg')).toContain(LATER);
        expect(site.host.readFile('/boot/grub/grub.cfg')).not.toContain('iommu=pt');
        expect(site.host.readFile(CUSTOM_CFG)).toBeNull();
        for (const kernel of ['6.8.0-60-generic', LATER]) {
          const { stdout } = await site.host.execute(`lsinitramfs /boot/initrd.img-${kernel}`);
          expect(stdout, kernel).not.toMatch(/vfio-pci-override|00-vfio-first/);
        }
      }),
  );
});
