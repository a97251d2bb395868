import { afterEach, describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import { BootSite, story } from './rig.js';

let site: BootSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

const on = (driver: string): ReadonlyMap<string, string> =>
  new Map(GPU_ADDRESSES.map((address) => [address, driver] as const));

describe('GPU isolation of a machine that really boots', () => {
  it('puts all eight on vfio-pci with one reboot, and a second run changes nothing', async () => {
    site = await BootSite.start();
    expect(await site.drivers()).toEqual(on('e1000e'));
    const run = await site.begin();
    await run.approve();
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
    expect(await site.drivers()).toEqual(on('vfio-pci'));
    expect(await site.boots()).toBe(2);

    const before = await site.snapshot();
    const again = await (await site.begin()).end();
    expect(again.outcome, story(again)).toBe('provisioned');
    expect(again.counts.forwardReboots).toBe(0);
    expect(await site.snapshot()).toEqual(before);
    expect(await site.boots()).toBe(2);
  });
});
