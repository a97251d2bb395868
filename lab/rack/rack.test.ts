import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRack, type Rack } from './index.js';
import { TestClient } from './testing/client.js';

describe('a fresh host', () => {
  let rack: Rack;
  let client: TestClient;

  beforeAll(async () => {
    rack = await startRack({ hosts: [{ name: 'h100-01', serial: '5XKQ1P3' }] });
    client = await TestClient.connect(rack, rack.host('h100-01'));
  });
  afterAll(async () => {
    client.close();
    await rack.close();
  });

  it('knows who asks, and sudo', async () => {
    expect((await client.run('id -u')).stdout).toBe('1000\n');
    expect((await client.run('sudo -n id -u')).stdout).toBe('0\n');
    expect((await client.run('cat /root/x')).stderr).toContain('No such file');
    expect((await client.run('sh -c "echo a > /etc/a"')).exitCode).not.toBe(0);
  });

  it('splits "$@" in command position, as the fenced scripts of production need', async () => {
    expect((await client.script('shift; "$@"', '1', 'printf', '<%s>', 'a b', 'c')).stdout).toBe('<a b><c>');
  });

  it('passes standard input, exit codes and stderr', async () => {
    expect(await client.root(['sh', '-c', 'cat; echo no >&2; exit 7'], 'héllo\n')).toEqual({
      stdout: 'héllo\n',
      stderr: 'no\n',
      exitCode: 7,
    });
  });

  it('shows the eight GPUs on the native driver', async () => {
    const { stdout } = await client.run('lspci -Dvmmnnk -d 10de:2330');
    expect(stdout.match(/^Driver:\tnvidia$/gm)).toHaveLength(8);
    expect((await client.run('readlink /sys/bus/pci/devices/0000:0a:00.0/driver')).stdout).toBe(
      '../../../bus/pci/drivers/nvidia\n',
    );
    expect((await client.run('cat /sys/bus/pci/devices/0000:0a:00.0/driver_override')).stdout).toBe('(null)\n');
  });

  it('has a serial that only root reads', async () => {
    expect((await client.run('cat /sys/class/dmi/id/product_serial')).exitCode).toBe(1);
    expect((await client.root(['cat', '/sys/class/dmi/id/product_serial'])).stdout).toBe('5XKQ1P3\n');
  });
});

it('many hosts begin where one ended, and none of them sees what another does', async () => {
  const origin = await startRack({ hosts: [{ name: 'h100-01' }] });
  const first = origin.host('h100-01');
  first.writeFile('/etc/prepared', 'yes\n');
  await expect(first.image('/nowhere')).rejects.toThrow('h100-01 is on');
  first.gracefulShutdown();
  await first.waitFor(({ power }) => power === 'off', 'its shutdown');
  const image = await first.image('/nowhere');
  await origin.close();
  // Without k3s there is nothing to copy.
  expect(image.clusterFolder).toBeNull();
  const racks = await Promise.all([1, 2].map(() => startRack({ hosts: [{ name: 'h100-01', image }] })));
  const [one, other] = racks.map((rack) => rack.host('h100-01'));
  one?.writeFile('/etc/prepared', 'no\n');
  expect(other?.readFile('/etc/prepared')).toBe('yes\n');
  for (const rack of racks) await rack.close();
});
