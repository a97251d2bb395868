import { afterEach, describe, expect, it } from 'vitest';
import { startRack, type Rack, type SimulatedHost, type SimulatedHostOptions } from './index.js';
import { FaultTable } from './faults.js';
import { TestClient } from './testing/client.js';

let rack: Rack | null = null;
let client: TestClient | null = null;

async function fresh(
  options: Partial<SimulatedHostOptions> = {},
): Promise<{ host: SimulatedHost; ssh: TestClient; faults: FaultTable }> {
  rack = await startRack({
    hosts: [
      {
        name: 'h',
        bootMilliseconds: 10,
        shutdownMilliseconds: 10,
        initramfsMilliseconds: 20,
        panicMilliseconds: 10,
        ...options,
      },
    ],
  });
  client = await TestClient.connect(rack, rack.host('h'));
  client.connection.on('error', () => {});
  return { host: rack.host('h'), ssh: client, faults: rack.faults };
}

afterEach(async () => {
  client?.close();
  await rack?.close();
  rack = null;
});

describe('the table', () => {
  it('strikes as often as it says, after what it lets pass, and remembers', () => {
    const table = new FaultTable();
    table.add({ at: 'program', match: /^sync/, skip: 1, times: 2, effect: { kind: 'hang' } });
    const strikes = ['sync', 'sync -f', 'cat', 'sync', 'sync'].map(
      (subject) => table.strike('h', 'program', subject, '') !== null,
    );
    expect(strikes).toEqual([false, true, false, true, false]);
    expect(table.struck).toHaveLength(2);
  });

  it('asks only on its host, at its point, in its boots', () => {
    const table = new FaultTable();
    table.add({ host: 'a', at: 'boot', match: 'kernel', boot: 'trial=', effect: { kind: 'panic' } });
    expect(table.strike('b', 'boot', 'kernel', 'trial=1')).toBeNull();
    expect(table.strike('a', 'program', 'kernel', 'trial=1')).toBeNull();
    expect(table.strike('a', 'boot', 'kernel', 'ro')).toBeNull();
    expect(table.strike('a', 'boot', 'kernel', 'ro trial=1')).toEqual({ kind: 'panic' });
  });
});

describe('programs', () => {
  it('fail before or after their effect', async () => {
    const { host, ssh, faults } = await fresh();
    faults.add({ at: 'program', match: 'install -m 600', effect: { kind: 'fail', exitCode: 9, stderr: 'disk full' } });
    faults.add({ at: 'program', match: 'install -m 644', effect: { kind: 'fail', exitCode: 9, when: 'after' } });
    expect(await ssh.root(['install', '-m', '600', '/etc/fstab', '/etc/one'])).toMatchObject({
      exitCode: 9,
      stderr: 'disk full\n',
    });
    expect(host.readFile('/etc/one')).toBeNull();
    expect((await ssh.root(['install', '-m', '644', '/etc/fstab', '/etc/two'])).exitCode).toBe(9);
    expect(host.readFile('/etc/two')).toContain('UUID=');
  });

  it('lose the power in the middle of a script, and with it what was not synced', async () => {
    const { host, ssh, faults } = await fresh();
    faults.add({ at: 'program', match: /^mv /, effect: { kind: 'power-cut', restoreAfterMs: 20 } });
    expect(
      (
        await ssh.script(
          'echo 1 > /etc/first; sync -f /etc; echo 2 > /etc/second; mv /etc/second /etc/third; echo 3 > /etc/fourth',
        )
      ).exitCode,
    ).toBeNull();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect(['first', 'second', 'third', 'fourth'].map((name) => host.readFile(`/etc/${name}`))).toEqual([
      '1\n',
      null,
      null,
      null,
    ]);
  });

  it('hang until they are killed', async () => {
    const { host, ssh, faults } = await fresh();
    faults.add({ at: 'program', match: /^update-initramfs/, effect: { kind: 'hang' } });
    await ssh.root([
      'systemd-run',
      '--unit=build',
      '--no-block',
      '--property=Type=oneshot',
      '--',
      'update-initramfs',
      '-u',
    ]);
    expect((await ssh.run('systemctl is-active build.service')).stdout).toBe('activating\n');
    await ssh.root(['systemctl', 'stop', 'build.service']);
    expect((await ssh.run('systemctl is-active build.service')).stdout).toBe('inactive\n');
    expect(host.readFile('/boot/initrd.img-6.8.0-60-generic.new')).toBeNull();
  });
});

describe('boots', () => {
  it.each(['firmware', 'grub', 'kernel', 'init-top/udev'])('hang at %s until the power is cycled', async (stage) => {
    const { host, faults } = await fresh();
    faults.add({ at: 'boot', match: stage, effect: { kind: 'hang' } });
    host.powerCycle();
    await host.waitFor(() => faults.struck.length === 1);
    host.powerCycle();
    await host.waitFor(({ isUp }) => isUp);
    expect(host.boots.at(-1)?.cause).toBe('power-cycle');
  });

  it('come up with a dead network: no TCP connection, everything else as usual', async () => {
    const { host, faults } = await fresh();
    faults.add({ at: 'boot', match: 'network', effect: { kind: 'refuse' } });
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    if (rack === null) throw new Error('no rack');
    await expect(TestClient.connect(rack, host)).rejects.toThrow('ECONNREFUSED');
    expect((await host.execute('systemctl is-active ssh.service')).stdout).toBe('active\n');
  });

  it('end in a shell without a root disk, where there is no panic=', async () => {
    const { host, faults } = await fresh();
    faults.add({ at: 'boot', match: 'mount-root', effect: { kind: 'refuse' } });
    host.powerCycle();
    await host.waitFor(({ stage }) => stage === 'initramfs-shell');
    expect(host.console()).toContain('does not exist.  Dropping to a shell!');
    host.powerCycle();
    await host.waitFor(({ isUp }) => isUp);
  });

  it('end in emergency mode with a bad line in fstab, where early services run and sshd does not', async () => {
    const { host, ssh } = await fresh();
    await ssh.script(
      'echo "UUID=0000-0000 /data ext4 defaults 0 2" >> /etc/fstab; printf "[Unit]\\nDefaultDependencies=no\\n[Service]\\nExecStart=/usr/bin/sleep infinity\\n[Install]\\nWantedBy=sysinit.target\\n" > /etc/systemd/system/early.service; systemctl enable early.service; systemctl reboot',
    );
    await host.waitFor(({ stage }) => stage === 'emergency');
    expect(host.boots.at(-1)?.reached).toBe('emergency');
    expect((await host.execute('systemctl is-active early.service ssh.service')).stdout).toBe('active\ninactive\n');
    expect((await host.execute('findmnt --verify')).exitCode).toBe(1);
  });

  it('give a device to its native driver whatever the hook wanted', async () => {
    const { host, ssh, faults } = await fresh();
    await ssh.script(
      'printf "#!/bin/sh\\ncase \\$1 in prereqs) exit 0 ;; esac\\nfor a in 0000:0a:00.0 0000:18:00.0; do echo vfio-pci > /sys/bus/pci/devices/\\$a/driver_override; done\\nmodprobe vfio-pci\\n" > /etc/initramfs-tools/scripts/init-top/00-first; chmod 755 /etc/initramfs-tools/scripts/init-top/00-first; echo vfio_pci >> /etc/initramfs-tools/modules; update-initramfs -u',
    );
    faults.add({ at: 'pci-bind', match: '0000:18:00.0 vfio-pci', effect: { kind: 'native-wins' } });
    host.gracefulRestart();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect([host.drivers().get('0000:0a:00.0'), host.drivers().get('0000:18:00.0')]).toEqual(['vfio-pci', 'nvidia']);
  });
});

describe('reboots', () => {
  it('are accepted and never leave', async () => {
    const { host, ssh, faults } = await fresh();
    faults.add({ at: 'reboot', effect: { kind: 'refuse' } });
    const before = host.bootId;
    expect((await ssh.root(['systemctl', 'reboot'])).exitCode).toBe(0);
    expect(host.rebootRequests).toEqual(['systemctl reboot']);
    expect((await ssh.run('cat /proc/sys/kernel/random/boot_id')).stdout).toBe(`${before}\n`);
  });

  it('hang in the shutdown, silent, until the power is cycled', async () => {
    const { host, ssh, faults } = await fresh();
    faults.add({ at: 'reboot', effect: { kind: 'hang' } });
    await ssh.root(['systemctl', 'reboot']);
    await host.waitFor(({ stage }) => stage === 'shutdown');
    if (rack === null) throw new Error('no rack');
    await expect(TestClient.connect(rack, host)).rejects.toThrow('ECONNREFUSED');
    host.gracefulRestart();
    expect(host.boots).toHaveLength(1);
    host.powerCycle();
    await host.waitFor(({ isUp }) => isUp);
    expect(host.boots).toHaveLength(2);
  });

  it('skip firmware and GRUB when a kexec kernel is loaded', async () => {
    const { host, ssh } = await fresh();
    await ssh.root(['apt-get', 'install', '-y', 'kexec-tools']);
    await ssh.root(['kexec', '-l', '/boot/vmlinuz', '--reuse-cmdline']);
    expect((await ssh.run('cat /sys/kernel/kexec_loaded')).stdout).toBe('1\n');
    await ssh.root(['systemctl', 'reboot']);
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect(host.boots.at(-1)).toMatchObject({ cause: 'kexec', entry: null });
  });

  it('come back with another host key', async () => {
    const { host, faults } = await fresh();
    const before = host.knownHostsLine;
    faults.add({ at: 'host-key', effect: { kind: 'new-host-key' } });
    host.powerCycle();
    await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
    expect(host.knownHostsLine).not.toBe(before);
    expect(host.knownHostsLine.split(' ')[0]).toBe(before.split(' ')[0]);
  });
});

describe('packages and images', () => {
  it('rebuild every image when a package asks for it', async () => {
    const { host, ssh } = await fresh();
    const images = (): readonly string[] =>
      [...host.snapshot(['/boot'])].flatMap(([path, { sha256 }]) =>
        path.startsWith('/boot/initrd.img-') ? [sha256] : [],
      );
    const before = images();
    expect((await ssh.root(['apt-get', 'install', '-y', 'git'])).exitCode).toBe(0);
    expect(images()).toEqual(before);
    expect((await ssh.root(['apt-get', 'install', '-y', 'thin-provisioning-tools'])).exitCode).toBe(0);
    expect(images().every((hash) => !before.includes(hash))).toBe(true);
    expect((await ssh.root(['apt-get', 'install', '-y', 'no-such-package'])).stderr).toBe(
      'E: Unable to locate package no-such-package\n',
    );
  });

  it('do nothing and say so with exit 0 under update_initramfs=no', async () => {
    const { host, ssh } = await fresh();
    await ssh.script('echo update_initramfs=no > /etc/initramfs-tools/update-initramfs.conf');
    const before = host.readFile('/boot/initrd.img-6.8.0-60-generic');
    expect((await ssh.root(['update-initramfs', '-u', '-k', 'all'])).exitCode).toBe(0);
    expect(host.readFile('/boot/initrd.img-6.8.0-60-generic')).toBe(before);
  });

  it('collide when two builds run at once, since nothing locks', async () => {
    const { ssh } = await fresh({ initramfsMilliseconds: 400 });
    const both = await Promise.all([ssh.root(['update-initramfs', '-u']), ssh.root(['update-initramfs', '-u'])]);
    expect(both.map(({ exitCode }) => exitCode).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual([0, 1]);
    expect((await ssh.root(['unmkinitramfs', '/boot/initrd.img-6.8.0-60-generic', '/tmp/i'])).exitCode).toBe(1);
  });

  it('refuse a second apt while one runs', async () => {
    const { ssh } = await fresh();
    const both = await Promise.all([
      ssh.root(['apt-get', 'install', '-y', 'zfsutils-linux']),
      ssh.root(['apt-get', 'install', '-y', 'git']),
    ]);
    expect(both.map(({ exitCode }) => exitCode).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual([0, 100]);
  });
});
