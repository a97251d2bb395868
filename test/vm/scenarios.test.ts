import { describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import type { RunStatus } from '../../src/domain/run/messages.js';
import { changes } from '../conformance/as-before.js';
import { claimsOf, play, type Claims, type Stage } from '../conformance/play.js';
import { inTrialInitramfs, scenarios, type Scenario } from '../conformance/scenarios.js';
import { report } from './figures.js';
import { story } from '../support/provision-run.js';
import { BootSite, entries, on } from './rig.js';
import type { BootRun } from './run.js';
import { commandLines } from './timeline.js';

const NATIVE = 'e1000e';

/** By UEFI, as servers in the field boot; the others by BIOS. The boot chain after GRUB's core image is the same. */
const BY_UEFI = [
  'the power is cut while the approval waits, and GRUB keeps what Ubuntu keeps after failed boots',
  'the kernel panics',
];

/** Names the run that entered the trial last. */
const CUSTOM_CFG = / \/boot\/grub\/custom\.cfg$/;

/** Its host is gone on with. */
const GOES_WELL = 'nothing goes wrong';

/** The others go on from a host on which phase 2 is done. */
const FROM_THE_BEGINNING = 'the native driver is loaded before the hook';

async function approvedEnd(run: BootRun, gate?: string): Promise<RunStatus> {
  await run.approve(gate);
  return run.end();
}

/** What became of a row on this machine, and what the row says. */
async function played(
  scenario: Scenario,
  site: BootSite,
): Promise<{ became: Claims; says: Claims; status: RunStatus }> {
  const stage: Stage = {
    nativeDriver: NATIVE,
    gpus: GPU_ADDRESSES,
    sh: (script) => site.sh(script),
    snapshot: () => site.snapshot(),
    begin: () => site.begin(),
    powerCycle: () => site.machine.powerCycle(),
    commandLines: async () => commandLines(await site.machine.consoleText()),
    drivers: () => site.drivers(),
  };
  const { claims, status, cutAt } = await play(scenario, stage);
  report(scenario.name, status, site.timeline.boots, cutAt);
  return { became: claims, says: claimsOf(scenario, stage), status };
}

const rows = new Map(scenarios(NATIVE).map((scenario) => [scenario.name, scenario]));

function rowOf(name: string): Scenario {
  const row = rows.get(name);
  if (row === undefined) throw new Error(`no row "${name}"`);
  return row;
}

describe.concurrent('a machine that really boots', () => {
  it(`${GOES_WELL}; then a newer kernel of the archive that panics is taken away, is the default when it does not, and the GPUs are given back`, async ({
    onTestFinished,
  }) => {
    const site = await BootSite.start({ onTestFinished });
    const newer = (await site.sh(`sed -n 's/^Depends: linux-image-//p' /srv/archive/Packages | tail -n 1`)).trim();
    const older = (await site.sh('uname -r')).trim();
    const before = await site.snapshot();
    const well = await played(rowOf(GOES_WELL), site);
    expect(well.became, story(well.status)).toEqual(well.says);

    await site.sh(inTrialInitramfs('00-panic', 'echo c > /proc/sysrq-trigger'));
    const isolated = await site.snapshot();
    const panics = await site.beginDay2('upgrade-kernel');
    const { plan } = await panics.untilAsked('reboot');
    expect(plan).toMatchObject({ boots: 'kernel', upgrade: { from: older, to: newer } });
    const panicked = await approvedEnd(panics);
    report('a newer kernel that panics', panicked, site.timeline.boots);
    expect(panicked.outcome, story(panicked)).toBe('restored');
    expect(panicked.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 0 });
    expect(changes(isolated, await site.snapshot()).filter((line) => !CUSTOM_CFG.test(line))).toEqual([]);
    expect((await site.sh('uname -r')).trim()).toBe(older);

    await site.sh('rm /etc/initramfs-tools/scripts/init-top/00-panic');
    const upgraded = await approvedEnd(await site.beginDay2('upgrade-kernel'));
    report('a newer kernel', upgraded, site.timeline.boots);
    expect(upgraded.outcome, story(upgraded)).toBe('upgraded');
    expect((await site.sh('uname -r')).trim()).toBe(newer);
    expect(await site.drivers()).toEqual(on('vfio-pci'));

    const given = await approvedEnd(await site.beginDay2('decommission'), 'decommission');
    report('decommission', given, site.timeline.boots);
    expect(given.outcome, story(given)).toBe('decommissioned');
    expect(await site.drivers()).toEqual(on(NATIVE));
    expect((await site.sh('uname -r')).trim()).toBe(newer);
    expect(entries(site)).toEqual(['default', 'trial', 'trial', 'known-good', 'trial', 'trial', 'default']);
    const left = changes(before, await site.snapshot());
    expect(left.filter((line) => !line.includes(newer) && !line.endsWith(' /boot/grub/grub.cfg'))).toEqual([]);
  });

  it.for([...rows.keys()].filter((name) => name !== GOES_WELL))('%s', async (name, { onTestFinished }) => {
    const firmware = BY_UEFI.includes(name) ? 'uefi' : 'bios';
    const site = await BootSite.start({ onTestFinished, hardware: { firmware }, fresh: name === FROM_THE_BEGINNING });
    const { became, says, status } = await played(rowOf(name), site);
    expect(became, story(status)).toEqual(says);
  });
});
