import { describe, expect, it } from 'vitest';
import { decommissionPlan as plan } from '../../test/golden/runs.js';
import { decommissionDifference, decommissionQuestion, whyNotGivenBack, type Obstacles } from './decommission.js';

const NONE: Obstacles = {
  ledger: { run: 'run-1', state: 'committed' },
  begun: false,
  noted: true,
  nativeDrivers: { '0000:0a:00.0': 'nvidia', '0000:18:00.0': null },
  strategy: 'known-good',
  knownGoodIntact: true,
  vms: [],
  gpuProcesses: [],
  nestedClusters: [],
};

describe('what stands in the way of giving back', () => {
  const rows: readonly (readonly [name: string, change: Partial<Obstacles>, says: readonly RegExp[]])[] = [
    ['nothing', {}, []],
    ['nothing, where an earlier one was lost', { ledger: { run: 'run-2', state: 'open' }, begun: true }, []],
    ['no ledger', { ledger: null, noted: false }, [/^no run has committed anything/]],
    [
      'a run that is not committed',
      { ledger: { run: 'run-2', state: 'open' }, noted: false },
      [/^run run-2 changed the host and ended without a commit: start-provision --server h100-01/],
    ],
    ['an older version', { noted: false }, [/^run run-1 was committed by an older version/]],
    ['no baseline', { nativeDrivers: null }, [/its baseline is missing/]],
    [
      'a baseline of an isolated host',
      { nativeDrivers: { '0000:0a:00.0': 'vfio-pci' } },
      [/0000:0a:00\.0 on vfio-pci even then/],
    ],
    ['a damaged known-good', { knownGoodIntact: false }, [/nothing to fall back to/]],
    ['no known-good, with the direct strategy', { knownGoodIntact: false, strategy: 'direct' }, []],
    [
      'work, all of it named',
      { vms: ['a/db-0'], gpuProcesses: ['python (pid 7)'], nestedClusters: ['Kubernetes tenant-workload/main'] },
      [
        /^VMs run here: a\/db-0\. Stop/,
        /^processes hold GPUs: python \(pid 7\)/,
        /tenant-workload\/main\. Delete them/,
      ],
    ],
  ];
  it.each(rows)('%s', (_, change, says) => {
    const found = whyNotGivenBack({ ...NONE, ...change }, 'h100-01');
    expect(found).toHaveLength(says.length);
    for (const [i, pattern] of says.entries()) expect(found[i]).toMatch(pattern);
  });
});

describe('the question', () => {
  it('names what is put back, what is lost, what stays, and what the undo may do', () => {
    expect(decommissionQuestion(plan, 'h100-01')).toBe(
      'h100-01 gives 2 GPUs back to the host: vfio-pci -> nvidia, no driver. ' +
        '2 files and boot images are put back as they were before run run-1. ' +
        'Changed since, so made anew without the hook and its arguments: /boot/grub/grub.cfg, /boot/initrd.img-6.8.0-62-generic. ' +
        'CHANGED SINCE, AND LOST: /etc/initramfs-tools/modules. ' +
        'One reboot into "Ubuntu, with Linux 6.8.0-62-generic", alarm after 35 min; a boot that fails is followed by known-good (BMC tested). ' +
        'Stops tenant-a/web-1. Stays: packages and files of phase 2; k3s. Allows 2 reboots and 2 power cycles. Digest 7f3a-91c2',
    );
  });

  it('says that with the direct strategy nothing falls back', () => {
    const text = decommissionQuestion({ ...plan, strategy: 'direct', bmc: { kind: 'none', tested: false } }, 'h100-01');
    expect(text).toContain('strategy direct: a boot that fails does not fall back (no BMC)');
  });

  it('is void with a reason', () => {
    const [grub, image] = plan.paths;
    const now = {
      ...plan,
      bootId: 'boot-2',
      paths: [grub!, { ...image!, now: 'c' }],
      devices: plan.devices.map((device) => ({ ...device, driver: null })).slice(0, 1),
      foreignPods: [...plan.foreignPods, 'tenant-b/new'],
    };
    expect(decommissionDifference(plan, now)).toBe(
      'the host was rebooted; /boot/initrd.img-6.8.0-60-generic changed; 0000:0a:00.0 is on no driver; tenant-b/new started',
    );
    expect(decommissionDifference(plan, plan)).toBe('the host changed');
  });
});
