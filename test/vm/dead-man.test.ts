import { afterEach, describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import { BootSite, story } from './rig.js';

let site: BootSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

/** No address in trial boots. In those only: the root file system is shared with known-good. */
const NO_NETWORK_IN_TRIAL = `mkdir /etc/systemd/system/systemd-networkd.service.d
cat > /etc/systemd/system/systemd-networkd.service.d/boot-lab.conf <<'UNIT'
[Service]
ExecCondition=sh -c '! grep -q gpu-provision.trial= /proc/cmdline'
UNIT
systemctl daemon-reload`;

describe('a trial boot that nobody can reach', () => {
  it('ends by itself in known-good, once, and is undone', async () => {
    site = await BootSite.start({ deadManSeconds: 60 });
    await site.sh(NO_NETWORK_IN_TRIAL);
    const run = await site.begin();
    await run.approve();
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('restored');
    expect(status.counts.forwardReboots).toBe(1);
    expect(await site.machine.consoleText()).toContain('not confirmed in 60 s, rebooting into the known-good entry');
    expect([...(await site.drivers()).entries()]).toEqual(GPU_ADDRESSES.map((address) => [address, 'e1000e']));
    // The ordinary boot, the trial, known-good, and the ordinary one again if undo asked for it.
    const boots = await site.sh('journalctl --no-pager -o cat _TRANSPORT=kernel | grep "^Command line:"');
    expect(boots.match(/gpu-provision\.trial=/g)).toHaveLength(1);
  });
});
