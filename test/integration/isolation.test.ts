import { afterEach, describe, expect, it } from 'vitest';
import { Site } from './rig.js';
import { story } from '../support/provision-run.js';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

describe('GPU isolation of a fresh server', () => {
  it('puts all eight on vfio-pci with one reboot, and a second run changes nothing', async () => {
    site = await Site.start();
    const run = await site.begin();
    await run.approve();
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
    for (const address of site.spec.gpus.addresses) expect(site.host.drivers().get(address)).toBe('vfio-pci');

    const before = site.snapshot();
    const again = await (await site.begin()).end();
    expect(again.outcome, story(again)).toBe('provisioned');
    expect(site.snapshot()).toEqual(before);
    expect(site.host.boots).toHaveLength(2);
  });
});
