import { describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import { claimsOf, play, type Stage } from '../conformance/play.js';
import { scenarios } from '../conformance/scenarios.js';
import { report } from './figures.js';
import { story } from '../support/provision-run.js';
import { BootSite } from './rig.js';

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
      const stage: Stage = {
        nativeDriver: NATIVE,
        gpus: GPU_ADDRESSES,
        sh: (script) => site.sh(script),
        snapshot: () => site.snapshot(),
        begin: () => site.begin(),
        powerCycle: () => site.machine.powerCycle(),
        commandLines: async () => {
          await site.timeline.stop();
          return site.timeline.boots.map(({ commandLine }) => commandLine);
        },
        drivers: () => site.drivers(),
      };
      const { claims, status, cutAt } = await play(scenario, stage);
      report(scenario.name, status, site.timeline.boots, cutAt);
      expect(claims, story(status)).toEqual(claimsOf(scenario, stage));
    },
  );
});
