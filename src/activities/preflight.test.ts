import { describe, expect, it } from 'vitest';
import { fileRules, ScriptedHost, stepContext, type Rule } from '../../test/support/scripted-host.js';
import { GPU_ADDRESSES } from '../../test/support/server-spec.js';
import type { PreflightReport } from '../domain/preflight/checks.js';
import type { Bmc } from '../ports/bmc.js';
import { ProvisionError } from '../ports/failure.js';
import { LIST_PCI_DEVICES } from './host/devices.js';
import {
  APT_SOURCES,
  BOOT_FACTS,
  DISK_FACTS,
  IDENTITY_FACTS,
  INITRAMFS_FACTS,
  REACH_FACTS,
  SYSTEM_FACTS,
} from './host/facts-scripts.js';
import { preflightSteps } from './preflight.js';

const IDENTITY = `hostname	h100-01
serial	5XKQ1P3
os	PRETTY_NAME="Ubuntu 24.04.3 LTS"
os	ID=ubuntu
os	VERSION_ID="24.04"
arch	x86_64
kernel	6.8.0-60-generic
uid	0
boot-id	3f2c0d51-6f0e-4d8a-9d55-0c1f6f3a7b21
uptime	1000.10 2000.20
command-line	BOOT_IMAGE=/boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro
cpu-flags	flags		: fpu vmx
iommu-group	20
end	ok
`;
const BOOT = `vmlinuz	6.8.0-60-generic 15000000
initrd	6.8.0-60-generic 72000000 1790000000
uptime	500.00 900.00
now	1790001000
grub-fs.rc	0
grub-fs	ext2
grub-abstraction.rc	0
grub-abstraction	
boot-mount.rc	0
boot-mount	ext4 rw,relatime
grubenv-bytes	1024
grubenv.rc	0
grub-setting	GRUB_TIMEOUT=0
kexec-loaded	0
fstab.rc	0
end	ok
`;
const INITRAMFS = `owner.rc	0
owner	initramfs-tools: /usr/sbin/update-initramfs
dracut.rc	1
update-initramfs	update_initramfs=yes
end	ok
`;
const SYSTEM = `${['/boot', '/var/lib', '/var/tmp'].map((dir) => `space ${dir}.rc\t0\nspace ${dir}\t900000000000 9000000 8000000\n`).join('')}dpkg-audit.rc	0
locks.rc	0
state.rc	0
state	running
clock.rc	0
clock	yes
boots.rc	0
boots	[{"boot_id":"a1","first_entry":0,"last_entry":1000000},{"boot_id":"b2","first_entry":661000000,"last_entry":700000000}]
reboots.rc	0
reboots	{"_BOOT_ID":"a1","UNIT":"reboot.target"}
end	ok
`;
const DEVICES = `${GPU_ADDRESSES.map((address, index) => `${address}	0x10de	0x2330	0x030200	nvidia	(null)	${20 + index}	16	16	ok	-`).join('\n')}
end	8
`;
const DISKS = `0.device	/dev/nvme1n1
0.lsblk.rc	0
0.lsblk	{"blockdevices":[{"name":"nvme1n1","type":"disk","size":3840755982336,"ro":false,"model":"SAMSUNG","serial":"S64G"}]}
0.wipefs.rc	0
0.blkid.rc	2
end	ok
`;
const GRUB_CFG = `set default="0"
menuentry 'Ubuntu' {
	linux /boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro
}
source $prefix/custom.cfg
`;

/** What the script prints for the URLs behind its name. */
const reached = (argv: readonly string[], code: (url: string) => string): string =>
  `${argv
    .slice(4)
    .map((url, n) => `${n}.code\t${code(url)}\n`)
    .join('')}end\tok\n`;

const HEALTHY: readonly Rule[] = [
  { when: IDENTITY_FACTS, answer: IDENTITY },
  { when: BOOT_FACTS, answer: BOOT },
  { when: INITRAMFS_FACTS, answer: INITRAMFS },
  { when: SYSTEM_FACTS, answer: SYSTEM },
  { when: LIST_PCI_DEVICES, answer: DEVICES },
  { when: DISK_FACTS, answer: DISKS },
  { when: APT_SOURCES, answer: 'URIs: http://archive.ubuntu.com/ubuntu/\n' },
  { when: REACH_FACTS, answer: (argv) => reached(argv, () => '200') },
  { when: 'uname -r', answer: '6.8.0-60-generic\n' },
  { when: /^dpkg-query -W/, answer: 1 },
  ...fileRules({
    '/boot/grub/grub.cfg': GRUB_CFG,
    '/etc/rancher/k3s/config.yaml': null,
    '/etc/rancher/k3s/k3s.yaml': null,
    '/etc/systemd/system/k3s.service': null,
    '/var/lib/rancher/k3s/server': null,
    '/var/lib/gpu-provision/fence': null,
    '/var/lib/gpu-provision/ledger/run': null,
    '/var/lib/gpu-provision/ledger/notes/server': null,
  }),
  { when: /^systemctl list-units --state=failed/, answer: 'snapd.service loaded failed failed Snap Daemon\n' },
  { when: /^ps -eo/, answer: '1 Ss systemd\n' },
  { when: /^pgrep /, answer: 1 },
  { when: /^sh -c [^]*fuser/, answer: '' },
  { when: '/usr/local/bin/k3s --version', answer: 127 },
];
const changed = (...rules: readonly Rule[]): ScriptedHost => new ScriptedHost([...rules, ...HEALTHY]);

const bmc = (change: Partial<Bmc> = {}): Bmc => ({
  kind: 'ipmi',
  identity: () => Promise.resolve({ serial: '5XKQ1P3', model: null }),
  powerState: () => Promise.resolve('on'),
  gracefulRestart: () => Promise.reject(new Error('preflight restarts nothing')),
  powerCycle: () => Promise.reject(new Error('preflight cuts no power')),
  powerOn: () => Promise.reject(new Error('preflight turns nothing on')),
  eventLog: () => Promise.resolve([]),
  console: null,
  ...change,
});

const step = preflightSteps['preflight.check'];
async function reportOf(host: ScriptedHost): Promise<PreflightReport> {
  const result = await step.check(stepContext(host, { bmc: bmc() }));
  return result.facts as unknown as PreflightReport;
}
async function failureOf(host: ScriptedHost, power = bmc()): Promise<ProvisionError> {
  try {
    await step.check(stepContext(host, { bmc: power }));
  } catch (error) {
    if (error instanceof ProvisionError) return error;
    throw error;
  }
  throw new Error('preflight did not fail');
}

describe('preflight.check', () => {
  it('passes a healthy host, with the baseline later phases compare with', async () => {
    const host = changed();
    const result = await step.check(stepContext(host, { bmc: bmc() }));
    const report = result.facts as unknown as PreflightReport;
    expect(result.summary).toBe(`${report.checks.length} checks, 1 warning`);
    expect(report).toMatchObject({
      blocks: 0,
      warns: 1,
      isolated: false,
      host: { serial: '5XKQ1P3', bmcAgrees: true, os: 'Ubuntu 24.04.3 LTS', uptimeSeconds: 1_000 },
      earlierBootSeconds: [660],
    });
    expect(report.baseline.failedUnits).toEqual(['snapd.service']);
    expect(report.baseline.nativeDrivers[GPU_ADDRESSES[0] ?? '']).toBe('nvidia');
    expect(JSON.stringify(report).length).toBeLessThan(30_000);
  });

  it('changes nothing: no lock is taken, nothing is written', async () => {
    const host = changed();
    await step.check(stepContext(host, { bmc: bmc() }));
    expect(host.commands.filter((line) => /flock|mkdir|systemd-run|tee|sync/.test(line))).toEqual([]);
  });

  it('names each source of downloads that the host cannot reach, and the mirror that would replace it', async () => {
    const deaf = /archive\.ubuntu|nvcr/;
    const error = await failureOf(
      changed({ when: REACH_FACTS, answer: (argv) => reached(argv, (url) => (deaf.test(url) ? '000' : '401')) }),
    );
    // A file that is wanted must be there: 401 is enough of a registry only.
    expect(error.message).toBe(
      '1 check blocks: network.downloads (the host cannot reach Ubuntu packages, the k3s release, container images of nvcr.io)',
    );
    expect(error.details['checks']).toMatchObject([
      { remedy: expect.stringContaining('mirrors.apt, mirrors.k3s, mirrors.registries') },
    ]);
  });

  it('is refused with every check that blocks, and nothing else', async () => {
    const error = await failureOf(changed({ when: BOOT_FACTS, answer: BOOT.replace('ext4', 'xfs') }));
    expect(error.type).toBe('Blocked');
    expect(error.message).toBe('1 check blocks: boot.file-system (/boot/grub is on xfs, expected ext4)');
    expect(error.details['checks']).toMatchObject([{ id: 'boot.file-system', severity: 'block' }]);
  });

  it('takes a BMC that does not answer for a finding', async () => {
    const silent = bmc({ powerState: () => Promise.reject(new ProvisionError('BmcUnavailable', 'no route')) });
    const error = await failureOf(changed(), silent);
    expect(error.message).toContain('bmc.power (the BMC does not answer: no route)');
  });

  it('takes a workload that cannot be told for a finding', async () => {
    const error = await failureOf(
      changed({ when: /fuser/, answer: { exitCode: 69, stderr: 'fuser is not installed' } }),
    );
    expect(error.message).toContain('fuser is not installed');
  });

  it('fails, and is not blocked, when the host prints half an answer', async () => {
    expect((await failureOf(changed({ when: SYSTEM_FACTS, answer: 'state\trunning\n' }))).type).toBe(
      'OutputUnexpected',
    );
    expect((await failureOf(changed({ when: LIST_PCI_DEVICES, answer: 'garbage' }))).type).toBe('OutputUnexpected');
  });

  it('warns of a lost run and takes the baseline from its ledger', async () => {
    const baseline = { linkWidths: { a: 16 }, failedUnits: [], nativeDrivers: { a: 'nvidia' } };
    const report = await reportOf(
      changed(
        ...fileRules({
          '/var/lib/gpu-provision/fence': 'run-old 1\n',
          '/var/lib/gpu-provision/ledger/run': '{"run":"run-old","state":"open","at":"2026-11-24T10:00:00Z"}\n',
          '/var/lib/gpu-provision/ledger/notes/server': 'h100-01\n',
          '/var/lib/gpu-provision/ledger/notes/baseline': `${JSON.stringify(baseline)}\n`,
        }),
      ),
    );
    expect(report.baseline).toEqual(baseline);
    expect(report.checks.find((check) => check.id === 'run.ledger')).toMatchObject({ severity: 'warn' });
  });

  it('blocks on a ledger that cannot be read, rather than take it for none', async () => {
    const error = await failureOf(changed(...fileRules({ '/var/lib/gpu-provision/ledger/run': 'garbage' })));
    expect(error.message).toContain('run.ledger');
    expect(error.message).toContain('garbled');
  });
});
