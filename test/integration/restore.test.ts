import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../lab/rack/index.js';
import type { TruthTable } from '../../src/domain/gpu/truth-table.js';
import { ISOLATION, Site, type SiteOptions } from './rig.js';
import { story } from '../support/provision-run.js';

/** Only in a boot of the trial entry. */
const TRIAL = 'gpu-provision.trial=';

interface Row {
  readonly name: string;
  readonly faults: readonly FaultRule[];
  readonly options?: Omit<SiteOptions, 'faults'>;
  readonly cause: string;
  /** Devices that failed the truth table, as the run's evidence shows it. */
  readonly failed: readonly string[];
  readonly powerCycles: number;
  readonly undoReboots: number;
}

const ROWS: readonly Row[] = [
  {
    name: 'one GPU clings to its native driver',
    faults: [{ at: 'pci-bind', match: '0000:87:00.0', boot: TRIAL, effect: { kind: 'native-wins' }, times: 9 }],
    cause: '0000:87:00.0: driver is nvidia, expected vfio-pci',
    failed: ['0000:87:00.0'],
    powerCycles: 0,
    undoReboots: 1,
  },
  {
    name: 'the image hangs before the network and the dead-man',
    faults: [{ at: 'boot', match: 'mount-root', boot: TRIAL, effect: { kind: 'hang' } }],
    options: { boot: { ladder: { waitSeconds: 8, lookSeconds: 1, gracefulSeconds: 1, powerCycleSeconds: 30 } } },
    cause: 'fell-back',
    failed: [],
    powerCycles: 1,
    undoReboots: 1,
  },
  {
    name: 'the trial boots without network: the dead-man brings it back',
    faults: [{ at: 'boot', match: 'network', boot: TRIAL, effect: { kind: 'refuse' } }],
    options: { boot: { deadManSeconds: 5 } },
    cause: 'fell-back',
    failed: [],
    powerCycles: 0,
    undoReboots: 1,
  },
  {
    name: 'the kernel panics',
    faults: [{ at: 'boot', match: 'kernel', boot: TRIAL, effect: { kind: 'panic' } }],
    cause: 'fell-back',
    failed: [],
    powerCycles: 0,
    undoReboots: 1,
  },
];

describe.concurrent('a failed trial is undone, and the host is as before', () => {
  for (const row of ROWS) {
    it(`${row.name}: as before`, async () => {
      const site = await Site.start({ ...row.options, faults: row.faults });
      try {
        const fresh = site.host.snapshot(['/boot']);
        const prepared = await (await site.begin(['preflight', 'node-preparation'])).end();
        expect(prepared.outcome, story(prepared)).toBe('provisioned');
        const etc = site.host.snapshot(['/etc', '/usr/local']);

        const run = await site.begin(ISOLATION);
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');
        expect(status.failure?.message).toContain(row.cause);
        const table = await run.handle.query<TruthTable | null>('evidence');
        expect((table?.rows ?? []).filter(({ ok }) => !ok).map(({ address }) => address)).toEqual(row.failed);
        expect(status.counts).toEqual({
          forwardReboots: 1,
          undoReboots: row.undoReboots,
          powerCycles: row.powerCycles,
        });

        for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('nvidia');
        expect(site.host.snapshot(['/etc', '/usr/local'])).toEqual(etc);
        // Images too: what has booted before phase 2's packages rebuilt them. Only the known-good copy stays beside them.
        const boot = [...site.host.snapshot(['/boot'])].filter(([path]) => !path.startsWith('/boot/gpu-provision'));
        expect(new Map(boot.filter(([path]) => path !== '/boot/grub/grubenv'))).toEqual(
          new Map([...fresh].filter(([path]) => path !== '/boot/grub/grubenv')),
        );
        expect(site.host.boots.at(-1)?.commandLine).not.toContain('gpu-provision');
      } finally {
        await site.close();
      }
    });
  }

  it('direct strategy: from the new image, which is the default, back to the old one', async () => {
    const site = await Site.start({
      boot: { strategy: 'direct' },
      faults: [{ at: 'pci-bind', match: '0000:87:00.0', boot: 'iommu=pt', effect: { kind: 'native-wins' }, times: 9 }],
    });
    try {
      const fresh = site.host.snapshot(['/boot']);
      const run = await site.begin(ISOLATION);
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('restored');
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
      for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('nvidia');
      const boot = site.host.snapshot(['/boot']);
      const paths = [...fresh.keys()].filter((path) => path !== '/boot/grub/grubenv');
      expect(paths.map((path) => [path, boot.get(path)])).toEqual(paths.map((path) => [path, fresh.get(path)]));
    } finally {
      await site.close();
    }
  });
});
