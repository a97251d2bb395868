import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { thisMachine } from '../../lab/tools/workshop.js';
import { startIpmiBmc } from '../../lab/vm/bmc/ipmi.js';
import { startRedfishBmc } from '../../lab/vm/bmc/redfish.js';
import { SerialConsole } from '../../lab/vm/console.js';
import { NINTH_ADDRESS, STRANGER_ADDRESS, type Firmware } from '../../lab/vm/hardware.js';
import { SERIAL, type Machine } from '../../lab/vm/machine.js';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { BmcSpec } from '../../src/domain/spec.js';
import { inTrialInitramfs } from '../conformance/scenarios.js';
import { changes } from '../conformance/as-before.js';
import { report } from './figures.js';
import { unseenByGrub } from './grub-view.js';
import { BootSite, entries, on } from './rig.js';
import { BuiltProduct } from '../support/built-product.js';
import { story } from '../support/provision-run.js';
import type { BootRun } from './run.js';

const POLL_MS = 500;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 5 * 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await delay(POLL_MS);
  }
}

/** Waits for the end, writes the figures, and checks what `restored` claims. */
async function expectRestored(
  name: string,
  site: BootSite,
  run: BootRun,
  before: readonly string[],
): Promise<RunStatus> {
  const status = await run.end();
  report(name, status, site.timeline.boots);
  expect(status.outcome, story(status)).toBe('restored');
  expect(await site.drivers()).toEqual(on('e1000e'));
  expect(changes(before, await site.snapshot())).toEqual([]);
  return status;
}

const CREDENTIALS = { user: 'admin', password: 'fi:ve5' };
const IDENTITY = { serial: SERIAL, model: 'q35', credentials: CREDENTIALS };
type BmcKind = 'ipmi' | 'redfish';

const startBmc =
  (kind: BmcKind) =>
  async (machine: Machine): Promise<{ spec: BmcSpec; close: () => Promise<void> }> => {
    const bmc =
      kind === 'ipmi' ? await startIpmiBmc(machine, IDENTITY) : await startRedfishBmc(machine, IDENTITY, thisMachine());
    const file = join(await mkdtemp(join(tmpdir(), 'gpu-provision-bmc-')), 'credentials');
    await writeFile(file, `${CREDENTIALS.user}:${CREDENTIALS.password}`, { mode: 0o600 });
    return { spec: { ...bmc.spec, credentials: `file:${file}` }, close: () => bmc.close() };
  };

/** Approves, and cuts the power when the order for the trial is written, before or after it is durable. */
async function cutWhileArming(site: BootSite, run: BootRun, when: 'before' | 'after'): Promise<void> {
  // The host's own sync waits there.
  const stop = 'if grep -q "^gp_trial=1" /boot/grub/grubenv; then touch /run/arming; sleep 120; fi';
  await site.sh(`cat > /usr/local/sbin/sync <<'SCRIPT'
#!/bin/sh
${when === 'before' ? stop : ''}
/usr/bin/sync "$@"
${when === 'after' ? `case $1 in -f) ${stop} ;; esac` : ''}
SCRIPT
chmod 755 /usr/local/sbin/sync; sync -f /usr/local/sbin/sync`);
  await run.approve();
  await until('the order is written', async () => (await site.sh('ls /run/arming 2>/dev/null || :')) !== '');
  const { length } = site.timeline.boots;
  await site.machine.powerCycle();
  await untilUp(site, length);
  await site.sh('rm -f /usr/local/sbin/sync');
}

/** Between the shutdown and GRUB a file loses all but its first bytes. */
async function approveAndCutShort(site: BootSite, run: BootRun, path: string, bytes: number): Promise<void> {
  await run.untilAsked('reboot');
  await site.machine.stayOffAtReset();
  await run.approve();
  await site.machine.untilOff();
  await site.machine.truncateOnDisk(path, bytes);
  await site.machine.powerOn();
}

const untilUp = (site: BootSite, boot: number): Promise<void> =>
  until('the host is back', () => (site.timeline.boots[boot]?.answeredAt ?? null) !== null);

/** Whatever was armed is gone. */
async function expectDefaultNext(site: BootSite): Promise<void> {
  const { length } = site.timeline.boots;
  await site.machine.powerCycle();
  await untilUp(site, length);
  expect(entries(site).at(-1)).toBe('default');
}

describe.concurrent('a machine that really boots', () => {
  it.for<[Firmware, BmcKind]>([
    ['bios', 'ipmi'],
    ['uefi', 'redfish'],
  ])(
    'by %s: a trial that hangs in init-top is ended by the BMC (%s), and undone',
    async ([firmware, kind], { onTestFinished }) => {
      const site = await BootSite.start({
        onTestFinished,
        hardware: { firmware },
        bmc: startBmc(kind),
        boot: { ladder: { waitSeconds: 60, lookSeconds: 10, gracefulSeconds: 10, powerCycleSeconds: 300 } },
      });
      await site.sh(inTrialInitramfs('00-hang', 'while :; do sleep 1; done'));
      const before = await site.snapshot();
      const run = await site.begin();
      await run.approve();
      const status = await expectRestored(`hang in init-top, ${kind}, ${firmware}`, site, run, before);
      expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 1, powerCycles: 1 });
      expect(entries(site)).toEqual(['default', 'trial', 'known-good', 'default']);
    },
  );

  it('goes to known-good when the image of the trial is cut short on the disk, and is undone', async ({
    onTestFinished,
  }) => {
    const site = await BootSite.start({ onTestFinished });
    const before = await site.snapshot();
    const image = (await site.sh('ls /boot/initrd.img-*')).trim();
    const run = await site.begin();
    await approveAndCutShort(site, run, image, 3_000_000);
    await expectRestored('truncated initrd', site, run, before);
    expect(entries(site)).toEqual(['default', 'trial', 'known-good', 'default']);
  });

  it('goes to known-good when GRUB cannot load the kernel of the trial, and asks for hands before it boots that kernel', async ({
    onTestFinished,
  }) => {
    const site = await BootSite.start({ onTestFinished });
    const before = await site.snapshot();
    const kernel = (await site.sh('ls /boot/vmlinuz-*')).trim();
    const run = await site.begin();
    await run.untilAsked('reboot');
    await site.sh(`cp ${kernel} /root/kernel; sync`);
    await approveAndCutShort(site, run, kernel, 100);
    const asked = await run.untilAsked('needs-hands');
    expect(asked.question?.text, story(asked)).toContain(`${kernel} is not the kernel that booted`);
    expect(entries(site)).toEqual(['default', 'known-good']);
    expect(await site.sh('cat /proc/cmdline')).toContain('gpu-provision.known-good');
    await site.sh(`cat /root/kernel > ${kernel}; rm /root/kernel; sync -f ${kernel}`);
    await run.answer('resume', 'needs-hands');
    await expectRestored('kernel that GRUB cannot load', site, run, before);
    expect(entries(site)).toEqual(['default', 'known-good', 'default']);
  });

  it('ends a trial without network by itself, once, and is undone', async ({ onTestFinished }) => {
    const site = await BootSite.start({ onTestFinished, boot: { deadManSeconds: 60 } });
    // In trial boots only: the root file system is shared with known-good.
    await site.sh(`mkdir /etc/systemd/system/systemd-networkd.service.d
cat > /etc/systemd/system/systemd-networkd.service.d/boot-lab.conf <<'UNIT'
[Service]
ExecCondition=sh -c '! grep -q gpu-provision.trial= /proc/cmdline'
UNIT
systemctl daemon-reload`);
    const before = await site.snapshot();
    const run = await site.begin();
    await run.approve();
    await expectRestored('trial without network', site, run, before);
    expect(entries(site)).toEqual(['default', 'trial', 'known-good', 'default']);
    const said = (await site.machine.consoleText()).match(
      /not confirmed in 60 s, rebooting into the known-good entry/g,
    );
    expect(said).toHaveLength(1);
  });

  it('boots known-good after a power cut in the middle of a build, and after one in the middle of arming at most the approved trial', async ({
    onTestFinished,
  }) => {
    const unseen: Record<string, readonly string[]> = {};
    const site = await BootSite.start({
      onTestFinished,
      after: async (activity, seen) => {
        if (/^(preparation|isolation)\./.test(activity)) unseen[activity] = await unseenByGrub(seen);
      },
    });
    const run = await site.begin();
    await until('update-initramfs is at work', async () => (await site.sh('pgrep mkinitramfs || :')) !== '');
    await delay(3_000);
    const cutAt = Date.now();
    await site.machine.powerCycle();
    await run.untilAsked('reboot');
    await cutWhileArming(site, run, 'after');
    const status = await run.end();
    report('power cut during update-initramfs, and after the order was durable', status, site.timeline.boots, cutAt);
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(entries(site)).toEqual(['default', 'known-good', 'trial']);
    // GRUB reads every staged file as Linux does, after each step.
    expect(Object.keys(unseen).length).toBeGreaterThan(15);
    expect(Object.entries(unseen).filter(([, paths]) => paths.length > 0)).toEqual([]);
    await expectDefaultNext(site);
  });

  it('is undone when the power is cut before the order for the trial is durable, and no trial boots later', async ({
    onTestFinished,
  }) => {
    const site = await BootSite.start({ onTestFinished });
    const before = await site.snapshot();
    const run = await site.begin();
    await run.untilAsked('reboot');
    await cutWhileArming(site, run, 'before');
    await expectRestored('power cut before the order was durable', site, run, before);
    expect(entries(site)).toEqual(['default', 'known-good', 'default']);
    await expectDefaultNext(site);
  });

  it('is refused with a stranger in an IOMMU group, or a ninth device on vfio-pci', async ({ onTestFinished }) => {
    const site = await BootSite.start({
      onTestFinished,
      fresh: true,
      hardware: { firmware: 'bios', extra: ['stranger', 'ninth'] },
    });
    await site.sh(`modprobe vfio-pci
echo vfio-pci > /sys/bus/pci/devices/${NINTH_ADDRESS}/driver_override
echo ${NINTH_ADDRESS} > /sys/bus/pci/drivers/e1000e/unbind
echo ${NINTH_ADDRESS} > /sys/bus/pci/drivers_probe`);
    const before = await site.snapshot();
    const status = await (await site.begin()).end();
    expect(status.outcome, story(status)).toBe('refused');
    expect(story(status)).toContain(STRANGER_ADDRESS);
    expect(story(status)).toContain(NINTH_ADDRESS);
    expect(await site.snapshot()).toEqual(before);
  });

  it('reboots exactly once though the worker is killed twice, is left alone by a second run, and is given back by hand at the serial console', async ({
    onTestFinished,
  }) => {
    const product = await BuiltProduct.build({ bundles: true });
    onTestFinished(() => product.remove());
    const site = await BootSite.start({ onTestFinished, ownWorker: true });
    const served = { address: inject('temporalAddress'), site: site.spec.site };
    let worker = product.startWorker(served);
    onTestFinished(() => worker.stop());
    const replace = async (): Promise<void> => {
      worker.kill();
      await worker.exited;
      worker = product.startWorker(served);
    };
    const run = await site.begin();
    await run.approve();
    await until('the reboot is asked for', async () =>
      (await run.status()).events.some((event) => event.kind === 'reboot'),
    );
    await replace();
    await until('the trial boots', () => site.timeline.boots.length > 1);
    await replace();
    const status = await run.end();
    report('worker killed twice', status, site.timeline.boots);
    expect(status.outcome, story(status)).toBe('provisioned');
    expect(status.counts).toEqual({ forwardReboots: 1, undoReboots: 0, powerCycles: 0 });
    expect(entries(site)).toEqual(['default', 'trial']);

    const before = await site.snapshot();
    const again = await (await site.begin()).end();
    expect(again.outcome, story(again)).toBe('provisioned');
    expect(again.counts.forwardReboots).toBe(0);
    expect(await site.snapshot()).toEqual(before);
    expect(entries(site)).toEqual(['default', 'trial']);

    const console = await SerialConsole.attach(site.machine.consolePort);
    onTestFinished(() => console.detach());
    console.type('');
    await console.hear(/login: $/);
    console.type('root');
    await console.hear(/Password: $/);
    console.type('boot-lab');
    await console.hear(/# $/);
    console.type('rm /etc/initramfs-tools/scripts/init-top/vfio-pci-override');
    await console.hear(/# $/);
    console.type('update-initramfs -u -k all');
    await console.hear(/Generating [^]*# $/);
    console.type('reboot');
    await untilUp(site, 2);
    expect(entries(site)).toEqual(['default', 'trial', 'default']);
    expect(await site.drivers()).toEqual(on('e1000e'));
  });

  it('stops when another host key answers after the reboot, and says both fingerprints', async ({ onTestFinished }) => {
    const site = await BootSite.start({ onTestFinished, boot: { deadManSeconds: 60 } });
    // In trial boots only: the key lies on the shared root file system.
    await site.sh(`mkdir -p /etc/systemd/system/ssh.service.d
cat > /etc/systemd/system/ssh.service.d/boot-lab.conf <<'UNIT'
[Service]
ExecStartPre=sh -c 'grep -q gpu-provision.trial= /proc/cmdline || exit 0; ssh-keygen -q -t ed25519 -N "" -f /run/other_key && mount --bind /run/other_key /etc/ssh/ssh_host_ed25519_key'
UNIT
systemctl daemon-reload`);
    const before = await site.snapshot();
    const pinned = (await site.sh('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub')).split(' ')[1] ?? 'none';
    const run = await site.begin();
    await run.approve();
    const asked = await run.untilAsked('needs-hands');
    const fingerprints = new Set(story(asked).match(/SHA256:[\w+/]{43}/g));
    expect([...fingerprints], story(asked)).toContain(pinned);
    expect(fingerprints.size).toBe(2);
    // Nobody confirms that trial, so it ends by itself.
    await untilUp(site, 2);
    await run.answer('resume', 'needs-hands');
    await expectRestored('another host key', site, run, before);
  });
});
