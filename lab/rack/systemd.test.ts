import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRack, type Rack, type SimulatedHost } from './index.js';
import { TestClient } from './testing/client.js';

let rack: Rack;
let host: SimulatedHost;
let ssh: TestClient;

beforeAll(async () => {
  rack = await startRack({ hosts: [{ name: 'h', bootMilliseconds: 10, shutdownMilliseconds: 10 }] });
  host = rack.host('h');
  ssh = await TestClient.connect(rack, host);
});
afterAll(async () => {
  ssh.close();
  await rack.close();
});

async function out(command: string): Promise<string> {
  return (await ssh.script(command)).stdout;
}

async function unit(name: string, service: string, rest = ''): Promise<void> {
  await ssh.root(
    ['sh', '-c', 'cat > "/etc/systemd/system/$1"', 'x', name],
    `[Unit]\nDescription=${name}\n${rest}\n[Service]\n${service}\n[Install]\nWantedBy=multi-user.target\n`,
  );
}

describe('services', () => {
  beforeEach(async () => {
    await ssh.script('systemctl stop probe.service; systemctl reset-failed probe.service; true');
  });

  it('say why they failed', async () => {
    await unit('probe.service', 'Type=oneshot\nExecStart=/bin/sh -c "echo why >&2; exit 4"');
    const started = await ssh.root(['systemctl', 'start', 'probe.service']);
    expect(started.exitCode).toBe(1);
    expect(await out('systemctl show probe.service -p ActiveState -p Result -p ExecMainStatus --value')).toBe(
      '4\nexit-code\nfailed\n',
    );
    expect(await out('systemctl list-units --failed --plain --no-legend')).toContain(
      'probe.service loaded failed failed probe.service\n',
    );
    expect(await out('systemctl is-system-running')).toBe('degraded\n');
    expect(await out('journalctl -u probe -o cat --no-pager -n 4')).toContain(
      "why\nprobe.service: Main process exited, code=exited, status=4/FAILURE\nprobe.service: Failed with result 'exit-code'.",
    );
  });

  it('fail with 203 without their program', async () => {
    await unit('probe.service', 'ExecStart=/usr/bin/no-such-program');
    await ssh.root(['systemctl', 'start', 'probe.service']);
    await expect.poll(() => out('systemctl show probe.service -p ExecMainStatus --value')).toBe('203\n');
  });

  it('get environment, specifiers and words', async () => {
    await unit('probe.service', 'Type=oneshot\nEnvironment="A=x y" B=z\nExecStart=/bin/echo $A ${B} %n "q q" $$HOME');
    await ssh.root(['systemctl', 'start', 'probe.service']);
    expect(await out('journalctl -u probe.service -o cat --no-pager | grep "x y"')).toBe(
      'x y z probe.service q q $HOME\n',
    );
  });

  it('are skipped by their conditions', async () => {
    await unit('probe.service', 'ExecStart=/bin/sleep infinity', 'ConditionPathExists=/nowhere');
    expect((await ssh.root(['systemctl', 'start', 'probe.service'])).exitCode).toBe(0);
    expect(await out('systemctl show probe.service --property=ActiveState,ConditionResult')).toBe(
      'ActiveState=inactive\nConditionResult=no\n',
    );
  });

  it('start again where they ask for it', async () => {
    await unit(
      'probe.service',
      'Restart=on-failure\nRestartSec=10ms\nExecStart=/bin/sh -c "test -e /run/second || { touch /run/second; exit 1; }; sleep infinity"',
    );
    await ssh.root(['systemctl', 'start', 'probe.service']);
    await host.waitFor(() => host.readFile('/run/second') !== null);
    await expect
      .poll(() => out('systemctl show probe.service --property=ActiveState,NRestarts'))
      .toBe('NRestarts=1\nActiveState=active\n');
  });

  it('that stop are gone from ps', async () => {
    await unit('probe.service', 'ExecStart=/bin/sleep 1000');
    await ssh.root(['systemctl', 'start', 'probe.service']);
    expect(await out('ps -eo args= | grep "^/bin/sleep 1000"')).toBe('/bin/sleep 1000\n');
    await ssh.root(['systemctl', 'stop', 'probe.service']);
    expect((await ssh.script('ps -eo args= | grep "^/bin/sleep 1000"')).stdout).toBe('');
  });
});

describe('unit files', () => {
  it('leave no directory behind when the last one that it wants is disabled', async () => {
    await unit('early.service', 'ExecStart=/usr/bin/true');
    await ssh.script('sed -i s/multi-user/sysinit/ /etc/systemd/system/early.service; systemctl enable early.service');
    const wants = '/etc/systemd/system/sysinit.target.wants';
    expect(await out(`ls ${wants}`)).toBe('early.service\n');
    await ssh.root(['systemctl', 'disable', 'early.service']);
    expect((await ssh.script(`ls -d ${wants}`)).exitCode).not.toBe(0);
    expect(await out('ls -d /etc/systemd/system/multi-user.target.wants')).not.toBe('');
  });

  it('are enabled, disabled, masked and unmasked by links', async () => {
    await unit('links.service', 'ExecStart=/bin/sleep infinity');
    const state = (): Promise<string> => out('systemctl is-enabled links.service');
    expect(await state()).toBe('disabled\n');
    await ssh.root(['systemctl', 'enable', 'links.service']);
    expect(await state()).toBe('enabled\n');
    expect(await out('readlink /etc/systemd/system/multi-user.target.wants/links.service')).toBe(
      '/etc/systemd/system/links.service\n',
    );
    await ssh.root(['systemctl', 'disable', 'links.service']);
    expect(await state()).toBe('disabled\n');
    expect((await ssh.root(['systemctl', 'mask', 'links.service'])).stderr).toContain('already exists');
    await ssh.root(['systemctl', 'mask', '--now', 'apt-daily.timer']);
    expect(await out('systemctl is-enabled apt-daily.timer; systemctl is-active apt-daily.timer')).toBe(
      'masked\ninactive\n',
    );
    expect((await ssh.root(['systemctl', 'start', 'apt-daily.timer'])).stderr).toContain('is masked');
    await ssh.root(['systemctl', 'unmask', 'apt-daily.timer']);
    expect(await out('systemctl is-enabled apt-daily.timer')).toBe('enabled\n');
    expect(await ssh.root(['systemctl', 'is-enabled', 'nowhere.service'])).toMatchObject({
      stdout: 'not-found\n',
      exitCode: 4,
    });
  });
});

describe('transient units', () => {
  it('have one effect for one name', async () => {
    const run = [
      'systemd-run',
      '--unit=once',
      '--property=Type=oneshot',
      '--property=RemainAfterExit=yes',
      '--setenv=WHO=me there',
      '--',
      'sh',
      '-c',
      'echo "$WHO" >> /run/once',
    ];
    expect((await ssh.root(run)).exitCode).toBe(0);
    expect((await ssh.root(run)).stderr).toContain('already loaded');
    expect(await out('cat /run/once; systemctl is-active once.service')).toBe('me there\nactive\n');
    await ssh.root(['systemctl', 'stop', 'once.service']);
    expect(await out('systemctl show once.service --property=LoadState')).toBe('LoadState=not-found\n');
  });

  it('can wait for their time', async () => {
    await ssh.root(['systemd-run', '--quiet', '--unit=later', '--on-active=50ms', 'touch', '/run/later']);
    expect(await out('systemctl is-active later.timer')).toBe('active\n');
    await host.waitFor(() => host.readFile('/run/later') !== null);
  });
});
