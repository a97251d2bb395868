import { describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import { entryOf, scenarios } from '../conformance/scenarios.js';
import { changes } from './as-before.js';
import { report } from './figures.js';
import { BootSite } from './rig.js';
import { story } from './run.js';

const NATIVE = 'e1000e';

/** By UEFI, as servers in the field boot; the others by BIOS. The boot chain after GRUB's core image is the same. */
const BY_UEFI = [
  'the power is cut while the approval waits, and GRUB keeps what Ubuntu keeps after failed boots',
  'the kernel panics',
];

/** The others go on from a host on which phase 2 is done. */
const FROM_THE_BEGINNING = 'the native driver is loaded before the hook';

describe.concurrent('a machine that really boots', () => {
  it.for(scenarios(NATIVE).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async ([, scenario], { onTestFinished }) => {
      const firmware = BY_UEFI.includes(scenario.name) ? 'uefi' : 'bios';
      const fresh = scenario.name === FROM_THE_BEGINNING;
      const site = await BootSite.start({ onTestFinished, hardware: { firmware }, fresh });
      await site.sh(scenario.prepare ?? ':');
      const before = await site.snapshot();
      const run = await site.begin();
      let cutAt: number | undefined;
      for (let n = 1; n <= scenario.approvals; n += 1) {
        const question = n === 1 ? 'reboot' : `reboot#${n}`;
        await run.untilAsked(question);
        await site.sh(scenario.beforeEachAnswer ?? ':');
        if (n === 1 && scenario.whenAsked === 'cut-power') {
          cutAt = Date.now();
          await site.machine.powerCycle();
        }
        // The run looks at the host again when it is answered: that is when a power cut voids what was approved.
        await run.approve(question);
      }
      const status = await run.end();
      await site.timeline.stop();
      report(scenario.name, status, site.timeline.boots, cutAt);
      const { boots } = site.timeline;
      expect(status.outcome, story(status)).toBe(scenario.ends);
      expect(boots.map((boot) => entryOf(boot.commandLine))).toEqual(scenario.boots);
      expect(status.counts).toEqual(scenario.counts);
      const driver = scenario.drivers === 'native' ? NATIVE : scenario.drivers;
      expect(await site.drivers()).toEqual(new Map(GPU_ADDRESSES.map((address) => [address, driver])));
      const left = scenario.ends === 'restored' ? changes(before, await site.snapshot()) : [];
      expect(left).toEqual([]);
      expect(await site.sh('grub-editenv - list | grep gp_ || :')).toBe('');
    },
  );
});
