import { afterEach, describe, expect, it } from 'vitest';
import { startRack, type Rack, type SimulatedHost } from '../index.js';

let rack: Rack | null = null;
afterEach(async () => {
  await rack?.close();
  rack = null;
});

/** A host with these lines in a script of init-top, in its image and about to boot it. */
async function reboot(body: string, options: { name?: string; commandLine?: string } = {}): Promise<SimulatedHost> {
  const milliseconds = { bootMilliseconds: 10, shutdownMilliseconds: 10, initramfsMilliseconds: 10 };
  rack = await startRack({
    hosts: [{ name: 'h100-01', ...milliseconds, panicMilliseconds: 10, rootWaitMilliseconds: 10 }],
  });
  const host = rack.host('h100-01');
  await host.waitFor(({ isUp }) => isUp);
  const script = `/etc/initramfs-tools/scripts/init-top/${options.name ?? '00-foreign'}`;
  host.writeFile(script, `#!/bin/sh\ncase "$1" in prereqs) echo; exit 0 ;; esac\n${body}\n`, 0o755);
  host.writeFile('/etc/initramfs-tools/modules', 'vfio_pci\n');
  host.writeFile('/etc/default/grub.d/50-lab.cfg', `GRUB_CMDLINE_LINUX="${options.commandLine ?? ''}"\n`);
  const { exitCode, stderr } = await host.execute('update-initramfs -u && update-grub && sync && systemctl reboot');
  expect(exitCode, stderr).toBe(0);
  await host.waitFor(({ boots }) => boots.length === 2);
  return host;
}

const ONCE = 'read -r line < /proc/cmdline; case "$line" in *once*) ;; *) exit 0 ;; esac\n';
const NO_ROOT = 'echo ROOT=/dev/disk/by-uuid/gone >> /conf/param.conf';
const shown = 'ALERT!  /dev/disk/by-uuid/gone does not exist.  Dropping to a shell!';

describe('/init', () => {
  it('runs what is in the image in its order, whatever a script returns, and sources param.conf after each', async () => {
    const host = await reboot('echo "first sees $ROOT"; echo ROOT=/dev/nvme0n1p2 > /conf/param.conf; exit 3');
    await host.waitFor(({ isUp }) => isUp);
    expect(host.console()).toMatch(/first sees UUID=[\da-f-]{36}\n/);
    expect((await host.execute('ls /conf')).exitCode).not.toBe(0);
  });

  it('waits in a shell for ever when the root is gone, deaf to the power button', async () => {
    const host = await reboot(NO_ROOT);
    await host.waitFor(({ stage }) => stage === 'initramfs-shell');
    expect(host.console()).toContain(shown);
    host.gracefulRestart();
    expect(host.boots).toHaveLength(2);
    expect(host.boots.at(-1)?.reached).toBe('initramfs');
  });

  it('reboots instead with panic=', async () => {
    const host = await reboot(NO_ROOT, { commandLine: 'panic=30' });
    await host.waitFor(({ boots }) => boots.length === 3);
    expect(host.boots.at(-1)?.cause).toBe('forced-reboot');
    expect(host.console()).toContain(`${shown}\nRebooting automatically due to panic= boot argument`);
  });

  it.each(['0', 'soon', '-x'])('halts instead with panic=%s', async (value) => {
    const host = await reboot(NO_ROOT, { commandLine: `panic=${value}` });
    await host.waitFor(({ stage }) => stage === 'halted');
    expect(host.console()).toContain(`${shown}\nHalting automatically due to panic= boot argument`);
    host.powerCycle();
    await host.waitFor(({ boots }) => boots.length === 3);
  });

  it('obeys what param.conf says about panic=', async () => {
    const host = await reboot(`${NO_ROOT}; echo panic=0 >> /conf/param.conf`, { commandLine: 'panic=30' });
    await host.waitFor(({ stage }) => stage === 'halted');
    expect(host.console()).not.toContain('Rebooting automatically');
  });

  it('takes the kernel with it when param.conf exits', async () => {
    const host = await reboot('echo exit 1 > /conf/param.conf');
    await host.waitFor(({ stage }) => stage === 'panic');
    expect(host.console()).toContain('Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100');
  });

  it.each([
    ['c', 'panic'],
    ['b', 'forced-reboot'],
  ])('ends at once when a script writes %s to sysrq-trigger', async (letter, cause) => {
    const host = await reboot(`${ONCE}echo ${letter} > /proc/sysrq-trigger; echo never`, {
      commandLine: 'panic=30 once',
    });
    await host.waitFor(({ boots }) => boots.length === 3);
    expect(host.boots.at(-1)?.cause).toBe(cause);
    expect(host.console()).not.toContain('never');
    expect(host.console()).not.toContain('lab: the boot failed');
  });

  it('loads no module that modprobe.d in the image blacklists, and says nothing', async () => {
    const host = await reboot('modprobe nouveau; echo "modprobe said $?"; lsmod | grep -c nouveau');
    await host.waitFor(({ isUp }) => isUp);
    expect(host.console()).toContain('modprobe said 0\n0\n');
  });

  it('gives a device back to its native driver when a script after the hook does', async () => {
    const address = '0000:87:00.0';
    const device = `/sys/bus/pci/devices/${address}`;
    const host = await reboot(
      `echo vfio-pci > ${device}/driver_override; modprobe vfio-pci; echo ${address} > /sys/bus/pci/drivers/nvidia/unbind
echo ${address} > /sys/bus/pci/drivers_probe; readlink ${device}/driver
echo ${address} > /sys/bus/pci/drivers/vfio-pci/unbind; echo > ${device}/driver_override
echo ${address} > /sys/bus/pci/drivers_probe; readlink ${device}/driver`,
      { name: 'zz-foreign' },
    );
    await host.waitFor(({ isUp }) => isUp);
    expect(host.console()).toMatch(/drivers\/vfio-pci\n.*drivers\/nvidia\n/s);
    expect(host.drivers().get(address)).toBe('nvidia');
  });
});
