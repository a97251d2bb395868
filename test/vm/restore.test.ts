import { afterEach, describe, expect, it } from 'vitest';
import { GPU_ADDRESSES } from '../../lab/vm/hardware.js';
import { BootSite, story } from './rig.js';

let site: BootSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

/** A script of somebody else that sorts before the launcher and loads the native driver: what a vendor's early-network hook does. */
const EARLY_DRIVER = `cat > /etc/initramfs-tools/scripts/init-top/00-early-driver <<'SCRIPT'
#!/bin/sh
case "$1" in prereqs) echo; exit 0 ;; esac
modprobe e1000e
SCRIPT
chmod 755 /etc/initramfs-tools/scripts/init-top/00-early-driver`;

/** What phase 2 leaves on the host, as it says in its report. */
const PHASE_2 =
  / \/etc\/(modules-load\.d\/|sysctl\.d\/|lvm\/|multipath\/|iscsi\/|containerd|systemd\/system\/.*(iscsid|multipathd))| \/boot\/gpu-provision(\/|$)| \/etc\/rc\w\.d\/\w+iscsid$/;
/** Changes of what isolation may touch: lines that are only in one of the snapshots. */
function changes(before: readonly string[], after: readonly string[]): readonly string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...come].filter((line) => !PHASE_2.test(line));
}

describe('a trial boot in which the native driver wins', () => {
  it('is undone: files, boot images, default entry and drivers are as before', async () => {
    site = await BootSite.start();
    await site.sh(EARLY_DRIVER);
    const before = await site.snapshot();
    const run = await site.begin();
    await run.approve();
    const status = await run.end();
    expect(status.outcome, story(status)).toBe('restored');
    expect(changes(before, await site.snapshot())).toEqual([]);
    expect([...(await site.drivers()).entries()]).toEqual(GPU_ADDRESSES.map((address) => [address, 'e1000e']));
    expect(await site.sh('cat /proc/cmdline')).not.toContain('gpu-provision');
    expect(await site.boots()).toBe(3);
  });
});
