import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRack, type Rack, type SimulatedHost } from '../index.js';
import { TestClient } from '../testing/client.js';

let rack: Rack;
let host: SimulatedHost;
beforeAll(async () => {
  rack = await startRack({ hosts: [{ name: 'h', bootMilliseconds: 10, shutdownMilliseconds: 10 }] });
  host = rack.host('h');
});
afterAll(() => rack.close());

it('a host notes its commands, the units that outlive them, and each boot until sshd listens', async () => {
  const ssh = await TestClient.connect(rack, host);
  await ssh.root(['true']);
  const unit = ['systemd-run', '--unit=long', '--quiet', '--no-block', '--property=Type=oneshot', 'sleep', '0.2'];
  await ssh.root(unit);
  await host.waitFor(({ busy }) => busy.some(({ kind }) => kind === 'unit'));
  await ssh.root(['systemctl', 'reboot']);
  await host.waitFor(({ isUp, boots }) => isUp && boots.length === 2);
  ssh.close();
  host.powerCycle();
  await host.waitFor(({ isUp, boots }) => isUp && boots.length === 3);
  // A unit ends after the command that started it, and the command that asks for a reboot may end with the host.
  expect(host.busy.filter(({ what }) => !what.includes('reboot')).map(({ kind }) => kind)).toEqual([
    'boot',
    'command',
    'command',
    'unit',
    'boot',
    'boot',
  ]);
  expect(host.busy.filter(({ kind }) => kind === 'boot').map(({ what }) => what)).toEqual(
    host.boots.map(({ bootId }) => bootId),
  );
  expect(host.busy.find(({ kind }) => kind === 'unit')?.what).toBe('long.service');
  for (const { from, to } of host.busy) expect(from).toBeLessThanOrEqual(to);
});
