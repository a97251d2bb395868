import { describe, expect, it } from 'vitest';
import { startRack } from './index.js';
import { TestClient } from './testing/client.js';

/** Each boots for itself, which takes a processor about 60 ms. */
const HOSTS = 200;

describe('one process', () => {
  it(`holds ${HOSTS} hosts, each with its own key, boot and disk`, { timeout: 120_000 }, async () => {
    const rack = await startRack({
      hosts: Array.from({ length: HOSTS }, (_, index) => ({ name: `h100-${index}`, bootMilliseconds: 1 })),
    });
    const answers = await Promise.all(
      rack.hosts.map(async (host) => {
        const client = await TestClient.connect(rack, host);
        const { stdout } = await client.root([
          'sh',
          '-c',
          'hostname > /etc/who; cat /etc/who /proc/sys/kernel/random/boot_id',
        ]);
        client.close();
        return stdout;
      }),
    );
    expect(answers).toEqual(rack.hosts.map((host) => `${host.name}\n${host.bootId}\n`));
    expect(new Set(rack.knownHosts.trim().split('\n')).size).toBe(HOSTS);
    await rack.close();
  });
});
