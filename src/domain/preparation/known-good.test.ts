import { describe, expect, it } from 'vitest';
import { parseGrubConfig } from '../boot/grub-config.js';
import {
  bootedKernelPath,
  bootedStanza,
  decideKnownGood,
  initrdName,
  initrdNames,
  initrdPaths,
  parseManifest,
  renderManifest,
  versionsIn,
  type KnownGoodFacts,
} from './known-good.js';

const KERNEL = '6.8.0-60-generic';
const CMDLINE = `BOOT_IMAGE=/boot/vmlinuz-${KERNEL} root=UUID=1c2e ro quiet splash vt.handoff=7`;

const facts = (change: Partial<KnownGoodFacts> = {}): KnownGoodFacts => ({
  strategy: 'known-good',
  commandLine: CMDLINE,
  kernel: KERNEL,
  bootTime: 2_000,
  imageMtime: 1_000,
  committed: false,
  copy: null,
  ...change,
});
const copy = { kernel: KERNEL, sameAsInPlace: false };

describe('the known-good copy', () => {
  it.each<[string, Partial<KnownGoodFacts>, 'keep' | 'copy' | 'refuse']>([
    ['is made from an image that has booted', {}, 'copy'],
    ['is made anew when another image has booted since', { copy }, 'copy'],
    ['is never made from an image built after the boot', { imageMtime: 2_000 }, 'refuse'],
    ['is never made when the boot time is unknown', { bootTime: null }, 'refuse'],
    ['is never made without an image', { imageMtime: null }, 'refuse'],
    ['is kept when packages have rebuilt the image since', { imageMtime: 3_000, copy }, 'keep'],
    [
      'of another kernel does not help then',
      { imageMtime: 3_000, copy: { kernel: '6.8.0-58-generic', sameAsInPlace: false } },
      'refuse',
    ],
    ['is kept when it equals what is in place', { imageMtime: 3_000, copy: { ...copy, sameAsInPlace: true } }, 'keep'],
    ['is kept after a commit', { committed: true, copy }, 'keep'],
    ['is made on a committed host that lost it', { committed: true }, 'copy'],
    ['is kept in its own boot', { commandLine: `${CMDLINE} gpu-provision.known-good`, copy }, 'keep'],
    ['is never replaced by a trial', { commandLine: `${CMDLINE} gpu-provision.trial=r1`, copy }, 'keep'],
    ['is never made from its own boot', { commandLine: `${CMDLINE} gpu-provision.known-good` }, 'refuse'],
    ['is never made from a trial', { commandLine: `${CMDLINE} gpu-provision.trial=r1` }, 'refuse'],
    ['is not needed with strategy direct', { strategy: 'direct', bootTime: null }, 'keep'],
  ])('%s', (_, change, kind) => {
    expect(decideKnownGood(facts(change)).kind).toBe(kind);
  });
});

describe('the kernel that booted', () => {
  it.each([
    [CMDLINE, `/boot/vmlinuz-${KERNEL}`],
    [`BOOT_IMAGE=/vmlinuz-${KERNEL} ro`, `/boot/vmlinuz-${KERNEL}`],
    [`ro BOOT_IMAGE=(hd0,gpt2)/vmlinuz-${KERNEL}`, `/boot/vmlinuz-${KERNEL}`],
  ])('is found for %s', (commandLine, path) => {
    expect(bootedKernelPath(commandLine)).toBe(path);
  });

  it.each(['root=/dev/sda1 ro', 'BOOT_IMAGE=/boot/$(reboot) ro', 'BOOT_IMAGE=tftp://x ro'])(
    'is unknown for %s',
    (line) => {
      expect(bootedKernelPath(line)).toBeNull();
    },
  );
});

const GRUB_CFG = `set default="0"
menuentry 'Ubuntu' --class ubuntu $menuentry_id_option 'gnulinux-simple-1c2e' {
	recordfail
	insmod ext2
	search --no-floppy --fs-uuid --set=root 1c2e
	linux	/boot/vmlinuz-${KERNEL} root=UUID=1c2e ro  quiet splash $vt_handoff
	initrd	/boot/initrd.img-${KERNEL}
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-1c2e' {
	menuentry 'Ubuntu, with Linux ${KERNEL} (recovery mode)' $menuentry_id_option 'rec' {
		linux	/boot/vmlinuz-${KERNEL} root=UUID=1c2e ro recovery nomodeset
		initrd	/boot/initrd.img-${KERNEL}
	}
	menuentry 'Ubuntu, with Linux 6.8.0-58-generic' $menuentry_id_option 'old' {
		linux	/boot/vmlinuz-6.8.0-58-generic root=UUID=1c2e ro quiet
		initrd	/boot/initrd.img-6.8.0-58-generic
	}
}
`;

describe('the menu entry that booted', () => {
  const entryOf = (
    commandLine: string,
    grubCfg = GRUB_CFG,
  ): ReturnType<typeof parseGrubConfig>['entries'][number] | undefined =>
    parseGrubConfig(bootedStanza(grubCfg, commandLine) ?? '').entries[0];

  it('has the arguments the kernel got, not the variables of grub.cfg', () => {
    const entry = entryOf(CMDLINE);
    expect(entry).toMatchObject({ id: 'gnulinux-simple-1c2e', initrds: [`/boot/initrd.img-${KERNEL}`] });
    expect(entry?.args).toEqual(['root=UUID=1c2e', 'ro', 'quiet', 'splash', 'vt.handoff=7']);
    expect(entry?.preamble).toContain('search --no-floppy --fs-uuid --set=root 1c2e');
  });

  it('is the one with exactly these arguments, also in a submenu', () => {
    expect(entryOf(`BOOT_IMAGE=/boot/vmlinuz-${KERNEL} root=UUID=1c2e ro recovery nomodeset`)?.id).toBe('rec');
    expect(entryOf('BOOT_IMAGE=/boot/vmlinuz-6.8.0-58-generic root=UUID=1c2e ro quiet')?.id).toBe('old');
  });

  it('leaves out what this system adds', () => {
    const line = `BOOT_IMAGE=/boot/vmlinuz-6.8.0-58-generic root=UUID=1c2e ro quiet panic=30 gpu-provision.known-good`;
    expect(entryOf(line)?.args).toEqual(['root=UUID=1c2e', 'ro', 'quiet']);
  });

  it('is none for a kernel that grub.cfg does not boot', () => {
    expect(bootedStanza(GRUB_CFG, 'BOOT_IMAGE=/boot/vmlinuz-5.15 ro')).toBeNull();
    expect(bootedStanza(GRUB_CFG, 'ro')).toBeNull();
  });
});

describe('the initrds that booted', () => {
  const stanza = (initrd: string): string => `menuentry 'Ubuntu' {\n  linux /boot/vmlinuz-${KERNEL} ro\n${initrd}\n}\n`;
  it.each([
    [`  initrd /boot/initrd.img-${KERNEL}`, [`/boot/initrd.img-${KERNEL}`]],
    [
      `  initrd /boot/intel-ucode.img /boot/initrd.img-${KERNEL}`,
      ['/boot/intel-ucode.img', `/boot/initrd.img-${KERNEL}`],
    ],
    [`  initrd /amd-ucode.img /initrd.img-${KERNEL}`, ['/boot/amd-ucode.img', `/boot/initrd.img-${KERNEL}`]],
    [`  initrd (hd0,gpt2)/initrd.img-${KERNEL}`, [`/boot/initrd.img-${KERNEL}`]],
    ['', []],
    ['  initrd $images', null],
  ])('of %j', (initrd, paths) => {
    expect(initrdPaths(stanza(initrd))).toEqual(paths);
  });

  it('are copied under names that do not depend on the kernel', () => {
    expect([`/boot/initrd.img-${KERNEL}`, '/boot/intel-ucode.img'].map(initrdName)).toEqual([
      'initrd.img',
      'intel-ucode.img',
    ]);
  });
});

describe('the copies that a custom.cfg boots', () => {
  it('are found, also where /boot is a file system of its own', () => {
    const version = '0123456789abcdef';
    expect(versionsIn(`linux /boot/gpu-provision/known-good/${version}/vmlinuz ro`)).toEqual([version]);
    expect(versionsIn(`linux /gpu-provision/known-good/${version}/vmlinuz ro`)).toEqual([version]);
    expect(versionsIn('linux /boot/vmlinuz ro')).toEqual([]);
  });
});

describe('the manifest', () => {
  const hash = 'a'.repeat(64);
  it('reads back', () => {
    const hashes = new Map([
      ['vmlinuz', hash],
      ['intel-ucode.img', hash],
      ['initrd.img', hash],
      ['stanza', hash],
    ]);
    const read = parseManifest(renderManifest(hashes));
    expect(read).toEqual(hashes);
    expect(initrdNames(read ?? new Map())).toEqual(['intel-ucode.img', 'initrd.img']);
  });
  it('is nothing when it is garbled', () => {
    expect(parseManifest('half a li')).toBeNull();
    expect(parseManifest(`${hash}  ../../etc/passwd\n`)).toBeNull();
  });
});
