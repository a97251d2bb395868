import { afterEach, describe, expect, it } from 'vitest';
import { LAUNCHER, renderHook, withVfioModules } from '../../src/domain/boot/hook.js';
import { renderDeadManScript, renderDeadManUnit } from '../../src/domain/boot/dead-man.js';
import { DEAD_MAN_SCRIPT_PATH } from '../../src/domain/host-layout.js';
import { FIRST_SERVER_GPUS, startRack, type Rack, type SimulatedHost, type SimulatedHostOptions } from './index.js';
import { ROOT_UUID } from './machine/file-systems.js';
import { TestClient } from './testing/client.js';

const HOOK = '/etc/initramfs-tools/scripts/init-top/vfio-pci-override';
const LAUNCHER_PATH = '/etc/initramfs-tools/scripts/init-top/00-vfio-first';
const KERNEL = '/boot/vmlinuz-6.8.0-60-generic';
const IMAGE = '/boot/initrd.img-6.8.0-60-generic';

const HOOK_TEXT = renderHook({
  id: '10de:2330',
  addresses: FIRST_SERVER_GPUS,
  resource: 'nvidia.com/H100_SXM5_80GB',
  nvswitch: 'none',
});

/** As printed in the design, with the two entries it talks about. */
const CUSTOM_CFG = `set default=gpu-provision-known-good
set timeout=3
load_env gp_trial
if [ "\${gp_trial}" ]; then
  set gp_trial=
  if save_env gp_trial; then
    set gp_trial=x
    load_env gp_trial
    if [ -z "\${gp_trial}" ]; then set default=gpu-provision-trial; fi
  fi
fi
menuentry 'gpu-provision known-good' --id gpu-provision-known-good {
  search --no-floppy --fs-uuid --set=root ${ROOT_UUID}
  linux /boot/known-good/vmlinuz root=UUID=${ROOT_UUID} ro gpu-provision.known-good panic=30
  initrd /boot/known-good/initrd.img
}
menuentry 'gpu-provision trial' --id gpu-provision-trial {
  search --no-floppy --fs-uuid --set=root ${ROOT_UUID}
  if linux ${KERNEL} root=UUID=${ROOT_UUID} ro iommu=pt gpu-provision.trial=r1 panic=30 oops=panic; then
    initrd ${IMAGE}
  else
    reboot
  fi
}
`;

let rack: Rack | null = null;
let client: TestClient | null = null;

async function fresh(options: Partial<SimulatedHostOptions> = {}): Promise<SimulatedHost> {
  rack = await startRack({
    hosts: [
      {
        name: 'h100-01',
        bootMilliseconds: 20,
        shutdownMilliseconds: 10,
        initramfsMilliseconds: 10,
        panicMilliseconds: 10,
        ...options,
      },
    ],
  });
  return rack.host('h100-01');
}

async function connect(host: SimulatedHost): Promise<TestClient> {
  if (rack === null) throw new Error('no rack');
  client?.close();
  client = await TestClient.connect(rack, host);
  return client;
}

afterEach(async () => {
  client?.close();
  client = null;
  await rack?.close();
  rack = null;
});

async function publish(ssh: TestClient, path: string, content: string, mode = '644'): Promise<void> {
  const written = await ssh.root(
    [
      'sh',
      '-c',
      'set -e; mkdir -p "${1%/*}"; cat > "$1.new"; chmod "$2" "$1.new"; sync "$1.new"; mv -T "$1.new" "$1"; sync -f "$1"',
      'x',
      path,
      mode,
    ],
    content,
  );
  expect(written).toEqual({ stdout: '', stderr: '', exitCode: 0 });
}

async function must(ssh: TestClient, command: string): Promise<string> {
  const answer = await ssh.script(command);
  expect(answer).toMatchObject({ exitCode: 0 });
  return answer.stdout;
}

/** Reboots through SSH and waits until another boot is up. */
async function reboot(host: SimulatedHost, ssh: TestClient, command = 'systemctl reboot'): Promise<TestClient> {
  const before = host.bootId;
  await ssh.script(command);
  await host.waitFor(({ isUp, bootId }) => isUp && bootId !== before, 'another boot');
  return connect(host);
}

const gpuDrivers = (host: SimulatedHost): readonly (string | null | undefined)[] =>
  FIRST_SERVER_GPUS.map((address) => host.drivers().get(address));
const eight = (driver: string): readonly string[] => FIRST_SERVER_GPUS.map(() => driver);

async function installHook(ssh: TestClient, withLauncher: boolean): Promise<void> {
  await publish(ssh, HOOK, HOOK_TEXT, '755');
  if (withLauncher) await publish(ssh, LAUNCHER_PATH, LAUNCHER, '755');
  await publish(
    ssh,
    '/etc/initramfs-tools/modules',
    withVfioModules(await must(ssh, 'cat /etc/initramfs-tools/modules')),
  );
  await must(ssh, 'update-initramfs -u -k all');
}

async function stageTrial(ssh: TestClient): Promise<void> {
  await must(
    ssh,
    `mkdir -p /boot/known-good; cp ${KERNEL} /boot/known-good/vmlinuz; cp ${IMAGE} /boot/known-good/initrd.img; sync -f /boot`,
  );
  await publish(ssh, '/boot/grub/custom.cfg', CUSTOM_CFG);
  expect(await must(ssh, 'grub-script-check /boot/grub/custom.cfg')).toBe('');
}

const arm = (ssh: TestClient): Promise<string> =>
  must(ssh, 'grub-editenv /boot/grub/grubenv set gp_trial=1; sync -f /boot/grub/grubenv');

describe('the order of init-top decides who binds', () => {
  it('leaves all eight on the native driver when the hook runs after udev', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await installHook(ssh, false);
    expect(
      await must(ssh, `unmkinitramfs ${IMAGE} /tmp/i; grep ^/scripts /tmp/i/main/scripts/init-top/ORDER | tail -2`),
    ).toBe('/scripts/init-top/udev "$@"\n/scripts/init-top/vfio-pci-override "$@"\n');
    await reboot(host, ssh);
    expect(gpuDrivers(host)).toEqual(eight('nvidia'));
  });

  it('gives them to vfio-pci when the launcher runs the hook first', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await installHook(ssh, true);
    const again = await reboot(host, ssh);
    expect(gpuDrivers(host)).toEqual(eight('vfio-pci'));
    expect(await must(again, 'cat /run/initramfs/vfio-pci-override.status')).toContain('0000:0a:00.0 driver vfio-pci');
    expect(await must(again, 'ls /dev/vfio; readlink /sys/bus/pci/devices/0000:0a:00.0/iommu_group')).toBe(
      '40\n42\n44\n46\n48\n50\n52\n54\nvfio\n../../../kernel/iommu_groups/40\n',
    );
    expect(host.console()).toContain('gpu-provision: vfio-pci-override done');
  });

  it('drops a script that is not executable from ORDER, though it is in the image', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await publish(ssh, LAUNCHER_PATH, LAUNCHER, '644');
    await publish(ssh, HOOK, HOOK_TEXT, '755');
    await must(ssh, 'update-initramfs -u');
    const shown = await must(
      ssh,
      `unmkinitramfs ${IMAGE} /tmp/i; ls /tmp/i/main/scripts/init-top; grep -c 00-vfio /tmp/i/main/scripts/init-top/ORDER || true`,
    );
    expect(shown).toContain('00-vfio-first\n');
    expect(shown.endsWith('\n0\n')).toBe(true);
  });

  it('runs a hook without the prereqs case on the live host while the image is built', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await publish(ssh, HOOK, '#!/bin/sh\necho vfio-pci > /sys/bus/pci/devices/0000:0a:00.0/driver_override\n', '755');
    await must(ssh, 'update-initramfs -u');
    expect(await must(ssh, 'cat /sys/bus/pci/devices/0000:0a:00.0/driver_override')).toBe('vfio-pci\n');
  });
});

describe('GRUB consumes the order once', () => {
  it('goes to the trial once when armed, and to known-good on every other boot', async () => {
    const host = await fresh();
    let ssh = await connect(host);
    await stageTrial(ssh);
    await arm(ssh);
    ssh = await reboot(host, ssh);
    expect(host.boots.at(-1)).toMatchObject({ entry: 'gpu-provision-trial', cause: 'reboot' });
    expect(await must(ssh, 'grub-editenv - list')).toBe('gp_trial=\n');
    expect(await must(ssh, 'cat /proc/cmdline')).toContain('gpu-provision.trial=r1');
    await reboot(host, ssh);
    expect(host.boots.at(-1)?.entry).toBe('gpu-provision-known-good');
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 4);
    expect(host.boots.at(-1)).toMatchObject({ entry: 'gpu-provision-known-good', cause: 'power-cycle' });
  });

  it('ignores the order on a disk it cannot write', async () => {
    const host = await fresh({ grubenvWritable: false });
    const ssh = await connect(host);
    await stageTrial(ssh);
    await arm(ssh);
    await reboot(host, ssh);
    expect(host.boots.at(-1)?.entry).toBe('gpu-provision-known-good');
    expect(host.readFile('/boot/grub/grubenv')).toContain('gp_trial=1\n');
  });

  it('boots the untouched default when custom.cfg was written but not synced', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await must(
      ssh,
      `mkdir -p /boot/known-good; cp ${KERNEL} /boot/known-good/vmlinuz; cp ${IMAGE} /boot/known-good/initrd.img; sync`,
    );
    // fsync and rename: Linux keeps it over a power cut, GRUB doesn't see it.
    await ssh.root(
      [
        'sh',
        '-c',
        'cat > /boot/grub/new; sync /boot/grub/new; mv /boot/grub/new /boot/grub/custom.cfg; sync /etc/fstab',
      ],
      CUSTOM_CFG,
    );
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect(host.boots.at(-1)?.entry).toBe(`gnulinux-simple-${ROOT_UUID}`);
    expect(host.readFile('/boot/grub/custom.cfg')).toBe(CUSTOM_CFG);
    // That boot mounted the disk and so brought it to its place.
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 3);
    expect(host.boots.at(-1)?.entry).toBe('gpu-provision-known-good');
  });

  it('loses a file that was never synced', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await must(ssh, 'echo gone > /etc/unsynced; echo kept > /etc/synced; sync /etc/synced');
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect(host.readFile('/etc/unsynced')).toBeNull();
    expect(host.readFile('/etc/synced')).toBe('kept\n');
  });

  it('reboots from a trial whose kernel it cannot load, and parks at its menu without that', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await stageTrial(ssh);
    await must(ssh, `mv ${KERNEL} ${KERNEL}.away; sync`);
    await arm(ssh);
    await reboot(host, ssh);
    expect(host.boots.at(-1)).toMatchObject({ entry: 'gpu-provision-known-good', cause: 'grub-reboot' });
    const again = await connect(host);
    await must(again, 'rm /boot/known-good/vmlinuz; sync; systemctl reboot');
    await host.waitFor(({ stage }) => stage === 'grub-menu', 'the menu');
    expect(host.console()).toContain("error: file `/boot/known-good/vmlinuz' not found.");
  });

  it("lets Ubuntu's initrdfail block overwrite what grub-reboot armed", async () => {
    const host = await fresh();
    let ssh = await connect(host);
    await must(
      ssh,
      `grub-reboot gnulinux-advanced-${ROOT_UUID}'>'gnulinux-6.8.0-58-generic-advanced-${ROOT_UUID}; sync`,
    );
    ssh = await reboot(host, ssh);
    expect(await must(ssh, 'uname -r')).toBe('6.8.0-58-generic\n');
    await must(
      ssh,
      `grub-editenv - set initrdfail=1; grub-reboot gnulinux-advanced-${ROOT_UUID}'>'gnulinux-6.8.0-58-generic-advanced-${ROOT_UUID}; sync`,
    );
    ssh = await reboot(host, ssh);
    expect(await must(ssh, 'uname -r')).toBe('6.8.0-60-generic\n');
  });
});

describe('a failed trial comes back by itself', () => {
  it('after a panic, because of panic=', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    await stageTrial(ssh);
    await arm(ssh);
    rack?.faults.add({ at: 'boot', match: 'kernel', boot: 'gpu-provision.trial=', effect: { kind: 'panic' } });
    await reboot(host, ssh);
    expect(host.boots.map(({ entry, cause, reached }) => [entry?.replace(ROOT_UUID, 'UUID'), cause, reached])).toEqual([
      ['gnulinux-simple-UUID', 'power-on', 'up'],
      ['gpu-provision-trial', 'reboot', 'panic'],
      ['gpu-provision-known-good', 'panic', 'up'],
    ]);
  });

  it('and keeps in its journal whether a boot ended in a reboot, which a power cut leaves no trace of', async () => {
    const host = await fresh();
    await reboot(host, await connect(host));
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 3);
    const again = await connect(host);
    const read = (args: string): Promise<string> => must(again, `journalctl ${args} --output=json --no-pager --quiet`);
    const boots = JSON.parse(await read('--list-boots')) as { readonly boot_id: string }[];
    const ended = (await read('UNIT=reboot.target JOB_RESULT=done')).trim().split('\n');
    expect(boots).toHaveLength(3);
    expect(ended.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ _BOOT_ID: boots[0]?.boot_id, UNIT: 'reboot.target' }),
    ]);
  });

  it('by its dead-man service, which fires only with its token and only without confirmation', async () => {
    const host = await fresh();
    let ssh = await connect(host);
    await publish(ssh, DEAD_MAN_SCRIPT_PATH, renderDeadManScript(3), '755');
    await publish(ssh, '/etc/systemd/system/gpu-provision-dead-man.service', renderDeadManUnit('r1'));
    await must(ssh, 'systemctl daemon-reload; systemctl enable gpu-provision-dead-man.service; sync');
    await stageTrial(ssh);
    await arm(ssh);
    ssh = await reboot(host, ssh);
    expect(await must(ssh, 'systemctl is-active gpu-provision-dead-man.service')).toBe('active\n');
    await host.waitFor(({ boots, isUp }) => isUp && boots.length === 3, 'the dead-man reboot');
    expect(host.boots.at(-1)).toMatchObject({ entry: 'gpu-provision-known-good', cause: 'forced-reboot' });
    ssh = await connect(host);
    expect(
      await must(ssh, 'systemctl show gpu-provision-dead-man.service --property=ActiveState,ConditionResult'),
    ).toBe('ActiveState=inactive\nConditionResult=no\n');
    await arm(ssh);
    ssh = await reboot(host, ssh);
    await must(ssh, 'mkdir -p /run/gpu-provision; cp /proc/sys/kernel/random/boot_id /run/gpu-provision/confirmed');
    await host.waitFor(
      () => host.console().includes('gpu-provision-dead-man.service: Deactivated successfully.'),
      'the confirmation',
    );
    expect(host.boots).toHaveLength(4);
  });
});

describe('what a lost link leaves', () => {
  it('a transient unit goes on and is read back', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    rack?.faults.add({ at: 'ssh', match: 'systemd-run', effect: { kind: 'drop-link', when: 'after' } });
    ssh.connection.on('error', () => {});
    const answer = await ssh.root([
      'systemd-run',
      '--unit=long',
      '--quiet',
      '--no-block',
      '--property=Type=oneshot',
      '--property=RemainAfterExit=yes',
      '--',
      'sh',
      '-c',
      'sleep 0.2; echo "it is $0 \\$HOME"; exit 3',
    ]);
    expect(answer.exitCode).toBeNull();
    const again = await connect(host);
    const show = 'systemctl show long.service --property=LoadState,ActiveState,Result,ExecMainStatus';
    expect(await must(again, show)).toContain('ActiveState=activating');
    await host.waitFor(() => host.console().includes('long.service: Failed'));
    expect((await must(again, show)).split('\n').toSorted().join(' ').trim()).toBe(
      'ActiveState=failed ExecMainStatus=3 LoadState=loaded Result=exit-code',
    );
    expect(await must(again, 'journalctl -u long.service -o cat --no-pager')).toContain('it is sh');
    await must(again, 'systemctl reset-failed long.service');
    expect(await must(again, show)).toContain('LoadState=not-found');
  });

  it('a command sent before goes on too', async () => {
    const host = await fresh();
    const ssh = await connect(host);
    rack?.faults.add({ at: 'ssh', match: 'slow', effect: { kind: 'drop-link', when: 'during' } });
    ssh.connection.on('error', () => {});
    expect((await ssh.script('sleep 0.1; echo slow > /etc/slow')).exitCode).toBeNull();
    await host.waitFor(() => host.readFile('/etc/slow') === 'slow\n');
  });
});
