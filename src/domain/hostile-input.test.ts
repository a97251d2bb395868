import { assert, jsonValue, property } from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { expectNoPollution, hostileText, quadraticTraps, unsoundNumbers } from '../../test/support/hostile-text.js';
import { serverSpec } from '../../test/support/server-spec.js';
import { ConsoleLog } from './boot/console-log.js';
import {
  defaultEntry,
  kernelArguments,
  parseGrubConfig,
  parseGrubEnvironment,
  readsCustomCfg,
} from './boot/grub-config.js';
import { parseImageFacts } from './boot/initramfs.js';
import { classifyBoot, parseBootReading } from './boot/reboot.js';
import { describeFigures, judge, parseJobOutput } from './cluster/acceptance.js';
import { describeDisk, identityOf, parseDisks, unfitDisks } from './cluster/disks.js';
import { hashOf, k3sConflicts, parseK3sVersion } from './cluster/k3s.js';
import { allocatable, nodeWithIP } from './cluster/node.js';
import { conditionOf, fieldConflicts, nameOf } from './cluster/objects.js';
import { describePool, isOnline, poolOn } from './cluster/storage.js';
import { foreignPodsOn, gpuProcesses, otherGuests, vmsOn } from './cluster/workloads.js';
import { parseLspci } from './gpu/lspci.js';
import { parsePciDevices } from './gpu/pci.js';
import { truthTable } from './gpu/truth-table.js';
import { earlierBootSeconds } from './preflight/earlier-boots.js';
import { parseFactLines } from './preflight/fact-lines.js';
import { bootFacts, bootTime, identityFacts, initramfsFacts, systemFacts } from './preflight/parse-facts.js';
import { bootedStanza, initrdPaths, parseManifest, versionsIn } from './preparation/known-good.js';
import { filterPatterns, withGlobalFilter } from './preparation/lvm-filter.js';
import { kvmModule } from './preparation/modules.js';
import { installedPackages } from './preparation/packages.js';
import { sysctlProblems } from './preparation/sysctl.js';

const spec = serverSpec();

const GRUB_CFG = `set default="0"
if [ "\${next_entry}" ]; then
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-1c2e' {
\tsearch --no-floppy --fs-uuid --set=root 1c2e
\tlinux\t/boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro "a b" $vt_handoff
\tinitrd\t/boot/initrd.img-6.8.0-60-generic
}
submenu 'Advanced' --id adv {
\tmenuentry "Recovery" --id rec {
\t  linux /boot/vmlinuz-6.8.0-60-generic single
\t}
}
source  /boot/grub/custom.cfg
`;
const COMMAND_LINE = 'BOOT_IMAGE=/boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro';
const BOOT_ID = '3f2c0d51-6f0e-4d8a-9d55-0c1f6f3a7b21';
const READING = `${BOOT_ID}\n100.50 300.00\n${COMMAND_LINE}\n`;
const FACTS = `hostname.rc\t0
hostname\th100-01
os\tID=ubuntu
os\tPRETTY_NAME="Ubuntu 24.04.3 LTS"
boot-id\t${BOOT_ID}
uptime\t100.50 300.00
command-line\t${COMMAND_LINE}
uid\t0
now.rc\t0
now\t1795000000
vmlinuz\t6.8.0-60-generic 15000000
initrd\t6.8.0-60-generic 80000000 1794000000
grubenv.rc\t0
grubenv\tsaved_entry=0
grub-setting\tGRUB_TIMEOUT=5
owner.rc\t0
owner\tinitramfs-tools: /usr/sbin/update-initramfs
space /boot.rc\t0
space /boot\t1000000 65536 65000
mount /boot.rc\t0
mount /boot\trw,relatime
locks.rc\t0
locks\tapt-get 4711 /var/lib/dpkg/lock-frontend
inhibitors\tx 0 root 1 x shutdown because block
cloud-init\tstatus: done
boots\t[{"boot_id":"a","first_entry":1000000,"last_entry":5000000},{"boot_id":"b","first_entry":605000000,"last_entry":700000000}]
reboots\t{"_BOOT_ID":"a"}
0.device\t/dev/nvme1n1
0.lsblk.rc\t0
0.lsblk\t{"blockdevices":[{"name":"nvme1n1","type":"disk","size":3840755982336,"ro":false,"model":"PM9A3","serial":"S1","children":[{"name":"p1","size":5}]}]}
0.wipefs.rc\t0
0.wipefs\text4
0.blkid.rc\t0
0.blkid\tTYPE=ext4
end\tok
`;
const PCI = `0000:18:00.0\t0x10de\t0x2330\t0x030200\tvfio-pci\tvfio-pci\t29\t16\t16\tok\tnode
0000:3b:00.0\t0x10de\t0x2330\t0x030200\tnvidia\t(null)\t29\t255\t16\tdead\t-
end\t2
`;
const LSPCI = `Slot:\t0000:18:00.0
Class:\t3D controller [0302]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGH100 [H100 SXM5 80GB] [2330]
Driver:\tnvidia
`;
const IMAGE =
  'order\t00-vfio-first\norder\tudev\nhook\taa\t755\nlauncher\tbb\t755\nmodule\tvfio-pci.ko.zst\nbuiltin\nend\n';
const LVM_CONF = 'devices {\n\tglobal_filter = [ "a|.*|", "r|\\"x|" ] # mine\n}\n';
const JOB = `{"gpu": 0, "uuid": "GPU-1", "name": "H100", "copy_GBps": 3016.2, "bf16_TFLOPS": 777.9, "h2d_GBps": 53.2, "d2h_GBps": 53.4, "right": true}
{"peer": [0, 1], "GBps": 394.4}
{"error": {"code": 802, "message": "not ready"}}
`;
const LINSTOR =
  '[[{"name":"h100-01","connection_status":"ONLINE","node_name":"h100-01","storage_pool_name":"data","provider_kind":"ZFS","free_capacity":100,"total_capacity":200,"reports":[{"message":"x"}],"props":{"Aux/gpu-provision/run":"r"}}]]';
const CONFLICT = 'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using v1:\n- .data.k\n- .data.l';
const K3S_UNIT =
  "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--disable=traefik' \\\n\t'--tls-san=1.2.3.4'\n";
const MANIFEST = `${'a'.repeat(64)}  vmlinuz\n${'b'.repeat(64)}  initrd.img\n`;

const factsOf = (text: string): unknown => {
  const parsed = parseFactLines(text);
  if (!parsed.ok) return parsed;
  const lines = parsed.value;
  return [identityFacts(lines), bootFacts(lines, GRUB_CFG), initramfsFacts(lines), systemFacts(lines)];
};
const disksOf = (text: string): unknown => {
  const parsed = parseFactLines(text);
  if (!parsed.ok) return parsed;
  const disks = parseDisks(['/dev/disk/by-id/a'], parsed.value);
  return [disks, unfitDisks(disks), disks.map((disk) => describeDisk(identityOf(disk)))];
};
const grubOf = (text: string): unknown => {
  const config = parseGrubConfig(text);
  return [config, defaultEntry(config, new Map()), readsCustomCfg(text), config.entries.map(kernelArguments)];
};
const consoleOf = (text: string): unknown => {
  const log = new ConsoleLog();
  log.hear(new TextEncoder().encode(text));
  return [log.lines(), log.lastLine()];
};
const bootOf = (text: string): unknown => {
  const reading = parseBootReading(text);
  return reading && [reading, classifyBoot(reading, { oldBootId: BOOT_ID, trial: 'x' }, true)];
};
const jobOf = (text: string): unknown => {
  const output = parseJobOutput(text);
  return [output, judge([output], spec.gpus, 8), describeFigures(output.gpus, spec.gpus.id)];
};
const poolOf = (text: string): unknown => {
  const pool = poolOn(text, 'h100-01', 'data');
  return [isOnline(text, 'h100-01'), pool, pool && describePool('data', pool)];
};
const k3sOf = (unit: string): unknown =>
  k3sConflicts(spec, { version: parseK3sVersion(unit), unit, config: null, hasState: false });
const truthOf = (text: string): unknown => {
  const devices = parsePciDevices(text);
  const lspci = parseLspci(text);
  const baseline = { linkWidths: {}, failedUnits: [], nativeDrivers: {} };
  return truthTable(spec, devices.ok ? devices.value : [], {
    baseline,
    failedUnits: [],
    hookStatus: text,
    stuckProcesses: [],
    lspci: lspci.ok ? lspci.value : null,
    lspciText: '',
  });
};

/** Everything that reads a text from a host or a cluster, and a text that it expects. */
const PARSERS: readonly (readonly [name: string, read: (text: string) => unknown, sample: string])[] = [
  ['facts', factsOf, FACTS],
  ['disks', disksOf, FACTS],
  ['PCI devices', parsePciDevices, PCI],
  ['lspci', parseLspci, LSPCI],
  ['the truth table', truthOf, PCI],
  ['grub.cfg', grubOf, GRUB_CFG],
  ['grubenv', parseGrubEnvironment, 'saved_entry=0\ngp_trial=1\n'],
  ['a boot image', (text) => parseImageFacts('i', 'k', 's', text), IMAGE],
  ['a console', consoleOf, '\u001b[2J\u001b[08;03H*Ubuntu\r\n[    1.0] Kernel panic - not syncing: VFS\r\n'],
  ['a boot reading', bootOf, READING],
  ['a boot time', (text) => bootTime(text, '5.0 4.0'), '1795000000'],
  ['an uptime', (text) => bootTime('1795000000', text), '100.50 300.00'],
  [
    'earlier boots',
    (text) => earlierBootSeconds(text, text.split('\n')),
    '[{"boot_id":"a","first_entry":1,"last_entry":2}]',
  ],
  ['the stanza that booted', (text) => bootedStanza(text, COMMAND_LINE), GRUB_CFG],
  ['the stanza of a command line', (text) => bootedStanza(GRUB_CFG, text), COMMAND_LINE],
  ['initrds of a stanza', initrdPaths, GRUB_CFG],
  ['a manifest', parseManifest, MANIFEST],
  ['versions in custom.cfg', versionsIn, 'linux /gpu-provision/known-good/0123456789abcdef/vmlinuz\n'],
  ['lvm.conf', (text) => withGlobalFilter(text, ['r|^/dev/drbd.*|']), LVM_CONF],
  ['a global_filter', filterPatterns, LVM_CONF],
  ['flags of a CPU', kvmModule, 'flags : fpu vmx'],
  ['packages', installedPackages, 'lvm2\tii \nnfs-common\tun \n'],
  ['sysctl', sysctlProblems, 'vm.swappiness = 1\n'],
  ['output of the GPU job', jobOf, JOB],
  ['LINSTOR', poolOf, LINSTOR],
  ['a conflict of the API', fieldConflicts, CONFLICT],
  ['pgrep', (text) => otherGuests(text, ['a/b']), '4711 /usr/bin/qemu-system-x86_64 -name guest=tenant_db,debug=on\n'],
  ['processes with a GPU', gpuProcesses, '4711 python3\n4712 nvidia-persistenced\n'],
  ['checksums', (text) => hashOf(text, 'k3s'), `${'a'.repeat(64)}  k3s\n`],
  ['the unit of k3s', k3sOf, K3S_UNIT],
];

afterEach(expectNoPollution);

describe('whatever a host or a cluster says', () => {
  it.each(PARSERS)('%s: is read or refused, never an exception, and no number is nonsense', (_, read, sample) => {
    assert(
      property(hostileText([sample]), (text) => {
        expect(unsoundNumbers(read(text))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it.each(PARSERS)('%s: is read in time that grows with its length', (_, read, sample) => {
    expect(quadraticTraps(read, sample)).toEqual([]);
  });

  it('objects of a cluster may have any shape below their header', () => {
    const header = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } };
    assert(
      property(jsonValue({ maxDepth: 4 }), jsonValue({ maxDepth: 4 }), (status, wanted) => {
        const node = { ...header, status, spec: wanted, metadata: { ...header.metadata, labels: {} } };
        const read = [
          nodeWithIP([node], '192.0.2.11')?.metadata.name,
          allocatable(node, 'nvidia.com/gpu'),
          conditionOf(node, 'Ready'),
          vmsOn([node], null),
          foreignPodsOn([node], 'a'),
          nameOf(node),
        ];
        expect(unsoundNumbers(read)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it.each(['-1', '1.5', '1e999', '9'.repeat(400), 'NaN', '', ' 1'])(
    'allocatable is 0 where a node says %j',
    (count) => {
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, status: { allocatable: { gpu: count } } };
      expect(allocatable(node, 'gpu')).toBe(0);
    },
  );

  it.each(['toString', 'constructor', '__proto__'])('what every object has is no answer of a cluster: %s', (name) => {
    expect(
      allocatable({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, status: { allocatable: {} } }, name),
    ).toBe(0);
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'a' },
      status: JSON.parse('{"__proto__":{"allocatable":{"gpu":8}}}'),
    };
    expect(allocatable(node, 'gpu')).toBe(0);
  });

  it('k3s settings may be anything that YAML can say', () => {
    const found = (disable: unknown): readonly string[] =>
      k3sConflicts(spec, { version: null, unit: K3S_UNIT, config: { disable }, hasState: true });
    expect(found({ toString: 1, valueOf: 1 })).not.toEqual([]);
    assert(property(jsonValue({ maxDepth: 4 }), (value) => void found(value)));
  });
});
