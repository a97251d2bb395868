import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earlierBootSeconds } from './earlier-boots.js';
import { parseFactLines, type FactLines } from './fact-lines.js';
import { bootFacts, identityFacts, initramfsFacts, systemFacts } from './parse-facts.js';

function lines(...rows: readonly (readonly [key: string, value: string])[]): FactLines {
  const parsed = parseFactLines(`${rows.map((row) => row.join('\t')).join('\n')}\nend\tok\n`);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const GRUB_CFG = `set default="0"
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-1c2e' {
	search --no-floppy --fs-uuid --set=root 1c2e
	linux	/boot/vmlinuz-6.8.0-60-generic root=UUID=1c2e ro  quiet
	initrd	/boot/initrd.img-6.8.0-60-generic
}
`;

describe('fact lines', () => {
  it.each(['', 'hostname\th1', 'end\tok\nmore\tlines'])('refuse an answer that was cut short: %j', (output) => {
    expect(parseFactLines(output)).toMatchObject({ ok: false });
  });

  it('tell a program that is missing from one that prints nothing', () => {
    const facts = lines(['a.rc', '127'], ['a', ''], ['b.rc', '0'], ['b', '']);
    expect(facts.printed('a')).toBeNull();
    expect(facts.printed('b')).toEqual([]);
  });
});

describe('facts of a host', () => {
  it('who it is', () => {
    const facts = identityFacts(
      lines(
        ['hostname', 'h100-01'],
        ['serial', '5XKQ1P3'],
        ['os', 'PRETTY_NAME="Ubuntu 24.04.3 LTS"'],
        ['os', 'ID=ubuntu'],
        ['os', 'VERSION_ID="24.04"'],
        ['uid', '0'],
        ['boot-id', '3f2c0d51-6f0e-4d8a-9d55-0c1f6f3a7b21'],
        ['uptime', '100.50 300.00'],
        ['command-line', 'BOOT_IMAGE=/boot/vmlinuz-6.8.0-60-generic ro'],
        ['iommu-group', '0'],
        ['iommu-group', '*'],
        ['unsafe-noiommu', 'N'],
      ),
    );
    expect(facts).toMatchObject({
      osId: 'ubuntu',
      osVersion: '24.04',
      osName: 'Ubuntu 24.04.3 LTS',
      uid: 0,
      uptimeSeconds: 100.5,
      iommuGroups: 1,
      unsafeNoiommu: false,
      arch: null,
    });
  });

  it('no boot id rather than half a reading', () => {
    expect(identityFacts(lines(['boot-id', 'garbled'], ['uptime', '1 1'], ['command-line', 'ro'])).bootId).toBeNull();
  });

  it('what boots it', () => {
    const facts = bootFacts(
      lines(
        ['vmlinuz', '6.8.0-60-generic 15000000'],
        ['initrd', '6.8.0-60-generic 72000000 1790000000'],
        ['initrd', '6.8.0-60-generic.new 5 1790000000'],
        ['now', '1790001000'],
        ['uptime', '499.50 900.00'],
        ...['vmlinuz', 'initrd.img', 'stanza', 'cmdline'].map((name) => ['known-good', name] as const),
        ['efi', 'yes'],
        ['secure-boot.rc', '0'],
        ['secure-boot', 'SecureBoot enabled'],
        ['grub-fs.rc', '0'],
        ['grub-fs', 'ext2'],
        ['grub-abstraction.rc', '0'],
        ['grub-abstraction', ''],
        ['boot-mount.rc', '0'],
        ['boot-mount', 'ext4   rw,relatime'],
        ['grubenv-bytes', '1024'],
        ['grubenv.rc', '0'],
        ['grubenv', 'recordfail=1'],
        ['grub-setting', 'GRUB_TIMEOUT=0'],
        ['grub-setting', '  export GRUB_TIMEOUT="-1"'],
        ['custom-cfg', 'ours'],
        ['kexec-loaded', '0'],
        ['fstab.rc', '1'],
        ['fstab', '/data'],
        ['fstab', '   [E] unreachable'],
      ),
      GRUB_CFG,
    );
    expect(facts).toMatchObject({
      kernels: { '6.8.0-60-generic': 15_000_000 },
      images: [{ kernel: '6.8.0-60-generic', bytes: 72_000_000, mtime: 1_790_000_000 }],
      bootTime: 1_790_000_500,
      defaultKernel: '6.8.0-60-generic',
      // The manifest is missing: the copy was interrupted.
      knownGood: false,
      secureBoot: true,
      grubAbstraction: '',
      mountFs: 'ext4',
      mountOptions: ['rw', 'relatime'],
      grubenv: { recordfail: '1' },
      settings: { GRUB_TIMEOUT: '-1' },
      customCfg: 'ours',
      customCfgRead: false,
      kexecLoaded: false,
      fstab: { ok: false },
    });
  });

  it('a host without GRUB has no facts about it, rather than good ones', () => {
    expect(
      bootFacts(lines(['grub-fs.rc', '127'], ['grub-abstraction.rc', '127'], ['grubenv.rc', '1']), null),
    ).toMatchObject({
      grubFs: null,
      grubAbstraction: null,
      grubenv: null,
      defaultKernel: null,
      kexecLoaded: null,
      secureBoot: null,
    });
  });

  it('who builds its images, also behind a diversion', () => {
    const facts = initramfsFacts(
      lines(
        ['owner.rc', '0'],
        ['owner', 'diversion by curtin from: /usr/sbin/update-initramfs'],
        ['owner', 'initramfs-tools: /usr/sbin/update-initramfs'],
        ['dracut.rc', '0'],
        ['dracut', 'deinstall ok config-files'],
        ['update-initramfs', 'update_initramfs=yes'],
      ),
    );
    expect(facts).toMatchObject({ owner: 'initramfs-tools', dracut: false, updateInitramfs: 'yes' });
  });

  it('space, locks and services', () => {
    const facts = systemFacts(
      lines(
        ['space /boot.rc', '0'],
        ['space /boot', '      Avail   Inodes    IFree'],
        ['space /boot', '  900000000    65536    65000'],
        ['mount /boot.rc', '0'],
        ['mount /boot', 'rw,relatime'],
        ['space /var/lib.rc', '0'],
        ['space /var/lib', '900000000000        0        0'],
        ['dpkg-audit.rc', '0'],
        ['locks.rc', '0'],
        ['locks', 'apt-get  4711 /var/lib/dpkg/lock-frontend'],
        ['locks', 'cron     99 /run/crond.pid'],
        ['state.rc', '1'],
        ['state', 'degraded'],
        ['inhibitors', 'Unattended Upgrades Shutdown 0 root 1021 unattended-upgr shutdown Stop ongoing upgrades delay'],
        ['inhibitors', 'backup 0 root 12 restic shutdown:sleep nightly backup block'],
        ['cloud-init', 'status: done'],
        ['clock.rc', '0'],
        ['clock', 'yes'],
        ['our-units', 'gpu-provision-0a1b2c3d-x.service loaded activating start x'],
      ),
    );
    expect(facts).toMatchObject({
      space: {
        '/boot': { bytes: 900_000_000, inodes: 65_000, mountOptions: ['rw', 'relatime'] },
        '/var/lib': { inodes: null },
        '/var/tmp': null,
      },
      dpkgAudit: [],
      lockHolders: ['apt-get (pid 4711)'],
      state: 'degraded',
      inhibitors: ['backup 0 root 12 restic shutdown:sleep nightly backup block'],
      cloudInit: 'done',
      clockSynchronized: true,
      ourUnits: ['gpu-provision-0a1b2c3d-x.service'],
    });
  });

  it('answer whatever is sent to them', () => {
    assert(
      property(string({ maxLength: 2_000 }), (noise) => {
        const parsed = parseFactLines(`${noise}\nend\tok`);
        if (!parsed.ok) return;
        expect(identityFacts(parsed.value).iommuGroups).toBeGreaterThanOrEqual(0);
        expect(bootFacts(parsed.value, noise).knownGood).toBe(false);
        expect(initramfsFacts(parsed.value).dracut).toBe(false);
        expect(systemFacts(parsed.value).space['/boot']).toBeNull();
      }),
    );
  });
});

describe('earlier boots', () => {
  const minute = (minutes: number): number => minutes * 60_000_000;
  const boot = (id: string, first: number, last: number): Record<string, unknown> => ({
    boot_id: id,
    first_entry: minute(first),
    last_entry: minute(last),
  });
  const rebooted = (...ids: readonly string[]): string[] =>
    ids.map((id) => JSON.stringify({ _BOOT_ID: id, UNIT: 'reboot.target', __CURSOR: 's=1' }));

  it('are the gaps after a reboot, newest first, without the days it was switched off', () => {
    const boots = [boot('b', 0, 100), boot('c', 111, 500), boot('d', 516, 600), boot('a', -9_000, -8_000)];
    expect(earlierBootSeconds(JSON.stringify(boots), rebooted('a', 'b', 'c'))).toEqual([960, 660]);
  });

  it('leave out a host that was switched off for a while, and a boot whose end nobody knows', () => {
    const boots = [boot('a', 0, 100), boot('b', 116, 500), boot('c', 511, 600)];
    expect(earlierBootSeconds(JSON.stringify(boots), rebooted('b'))).toEqual([660]);
    expect(earlierBootSeconds(JSON.stringify(boots), ['', 'null', '[]', '{"_BOOT_ID":7}'])).toEqual([]);
  });

  it('do not take boots without an id for each other', () => {
    const boots = [{ first_entry: 0, last_entry: minute(1) }, boot('b', 12, 20)];
    expect(earlierBootSeconds(JSON.stringify(boots), ['garbled'])).toEqual([]);
  });

  it.each(['', 'no journal', '{}', '[1,null,{"first_entry":"x"}]'])('are none for %j', (json) => {
    expect(earlierBootSeconds(json, rebooted('a'))).toEqual([]);
  });
});
