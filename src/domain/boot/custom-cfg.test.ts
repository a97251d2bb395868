import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderEnvironment } from '../../../lab/rack/boot/grub-environment.js';
import { runGrub } from '../../../lab/rack/boot/grub.js';
import { describeWith, findProgram } from '../../../test/support/skip-unless.js';
import { nextBoot, renderCustomCfg, renderOrdinaryOnce, type BootedCopy, type NextBoot } from './custom-cfg.js';
import { parseGrubConfig, type MenuEntry } from './grub-config.js';

const KERNEL = '/boot/vmlinuz-6.8.0-60-generic';
const INITRD = '/boot/initrd.img-6.8.0-60-generic';

function entryOf(args: string, initrds = INITRD): MenuEntry {
  const stanza = `menuentry 'Ubuntu' {\n\tlinux ${KERNEL} ${args}\n\tinitrd ${initrds}\n}\n`;
  const [entry] = parseGrubConfig(stanza).entries;
  if (entry === undefined) throw new Error('no entry');
  return entry;
}

const copyOf = (entry: MenuEntry, ...initrds: readonly string[]): BootedCopy => ({
  entry,
  kernel: '/boot/kept/vmlinuz',
  initrds: initrds.length > 0 ? initrds : ['/boot/kept/initrd.img'],
});

const booted = copyOf(entryOf('ro quiet'));

describe('the known-good entry', () => {
  const entry = (args: string): string =>
    renderCustomCfg({ runId: 'r', booted: copyOf(entryOf(args)), trial: null, committed: false });

  it.each([
    ['memmap=64K$0x1000', "'memmap=64K$0x1000'"],
    ['isolcpus=1;2', "'isolcpus=1;2'"],
    ['console=ttyS0,115200n8', 'console=ttyS0,115200n8'],
    ['"dyndbg=file a.c +p;', '"dyndbg=file a.c +p;'],
  ])('passes %s on as the kernel got it', (argument, written) => {
    expect(entry(`ro ${argument}`)).toContain(`/vmlinuz ro ${written} gpu-provision.known-good`);
  });

  it('loads microcode before the image, as the entry that booted did', () => {
    const kept = copyOf(entryOf('ro'), '/boot/kept/intel-ucode.img', '/boot/kept/initrd.img');
    expect(renderCustomCfg({ runId: 'r', booted: kept, trial: null, committed: true })).toContain(
      '\n    initrd /boot/kept/intel-ucode.img /boot/kept/initrd.img\n',
    );
  });
});

const texts = {
  'known-good': renderCustomCfg({ runId: 'r', booted, trial: null, committed: false }),
  trial: renderCustomCfg({
    runId: 'r',
    booted,
    trial: entryOf('ro iommu=pt', `/boot/ucode.img ${INITRD}`),
    committed: false,
  }),
  committed: renderCustomCfg({ runId: 'r', booted, trial: null, committed: true }),
  'ordinary once': renderOrdinaryOnce({ runId: 'r', booted, before: '' }),
  'ordinary once after a custom.cfg': renderOrdinaryOnce({
    runId: 'r',
    booted,
    before: `set default=theirs\nmenuentry 'theirs' --id theirs {\n  linux ${KERNEL} theirs\n  initrd ${INITRD}\n}\n`,
  }),
};

const CHECKER = 'grub-script-check';

describeWith('every form of custom.cfg', [CHECKER], 'grub-common', () => {
  it.each(Object.entries(texts))('"%s" is a script to GRUB', (_, text) => {
    expect(execFileSync(findProgram(CHECKER) ?? CHECKER, { input: text, encoding: 'utf8' })).toBe('');
  });
});

interface Disk {
  /** Of 00_header. */
  readonly default?: string;
  readonly armed?: boolean;
  readonly writable?: boolean;
  readonly gone?: readonly string[];
}

/** The id of the entry that the rack's GRUB boots, or what else it does. */
function boots(customCfg: string, disk: Disk): string {
  const entry = (id: string, token: string): string =>
    `menuentry '${id}' --id ${id} {\n  linux ${KERNEL} ${token}\n  initrd ${INITRD}\n}\n`;
  const grubCfg = `load_env
set default="${disk.default ?? '0'}"
${entry('first', 'ro')}submenu 'More' --id more {
${entry('second', 'ro')}${entry('third', 'ro')}}
source /boot/grub/custom.cfg
`;
  const environment = { saved_entry: 'more>third', ...(disk.armed === true ? { gp_trial: '1' } : {}) };
  const files = new Map<string, string>([
    ['/boot/grub/grub.cfg', grubCfg],
    ['/boot/grub/custom.cfg', customCfg],
    ['/boot/grub/grubenv', renderEnvironment(new Map(Object.entries(environment))) ?? ''],
    ...[KERNEL, INITRD, '/boot/ucode.img', booted.kernel, ...booted.initrds]
      .filter((path) => disk.gone?.includes(path) !== true)
      .map((path): [string, string] => [path, 'x']),
  ]);
  const outcome = runGrub({
    readFile: (path) => (files.has(path) ? Buffer.from(files.get(path) ?? '') : null),
    writeFile: (path, content) => {
      if (disk.writable !== false) files.set(path, Buffer.from(content).toString());
      return disk.writable !== false;
    },
    hasFileSystem: () => true,
    print: () => {},
  });
  return outcome.kind === 'boot' ? outcome.entry : outcome.kind;
}

const KNOWN_GOOD = 'gpu-provision-known-good';

describe('which entry GRUB boots', () => {
  it.each<[name: string, text: keyof typeof texts, disk: Disk, entry: string]>([
    ['known-good is the default', 'known-good', {}, KNOWN_GOOD],
    ['a copy that is gone: the first entry', 'known-good', { gone: [booted.kernel] }, 'first'],
    ['a copied image that is gone: the first entry', 'trial', { gone: booted.initrds }, 'first'],
    ['nothing can be loaded: the menu', 'known-good', { gone: [booted.kernel, KERNEL] }, 'menu'],
    ['the trial is not armed', 'trial', {}, KNOWN_GOOD],
    ['the trial is armed', 'trial', { armed: true }, 'gpu-provision-trial'],
    ['the trial is armed on a disk GRUB cannot write', 'trial', { armed: true, writable: false }, KNOWN_GOOD],
    ["the trial's kernel is gone", 'trial', { armed: true, gone: [KERNEL] }, 'reboot'],
    ["the trial's image is gone", 'trial', { armed: true, gone: [INITRD] }, 'reboot'],
    ["the trial's microcode is gone", 'trial', { armed: true, gone: ['/boot/ucode.img'] }, 'reboot'],
    ['committed: what grub.cfg says', 'committed', { default: 'more>third' }, 'third'],
    ['the ordinary default is not armed', 'ordinary once', { default: '1>1' }, KNOWN_GOOD],
    ['armed: a number', 'ordinary once', { armed: true }, 'first'],
    ['armed: a number in a submenu', 'ordinary once', { armed: true, default: '1>1' }, 'third'],
    ['armed: an id in a submenu', 'ordinary once', { armed: true, default: 'more>third' }, 'third'],
    ['armed: the saved entry', 'ordinary once', { armed: true, default: '${saved_entry}' }, 'third'],
    ['armed, and its kernel is gone', 'ordinary once', { armed: true, gone: [KERNEL] }, KNOWN_GOOD],
    ['armed on a disk GRUB cannot write', 'ordinary once', { armed: true, writable: false }, KNOWN_GOOD],
    ['what their custom.cfg made the default', 'ordinary once after a custom.cfg', { armed: true }, 'theirs'],
    ['not armed, with their custom.cfg', 'ordinary once after a custom.cfg', {}, KNOWN_GOOD],
  ])('%s', (_, text, disk, entry) => {
    expect(boots(texts[text], disk)).toBe(entry);
  });
});

describe('what the next boot is said to be', () => {
  /** With `0` as the default of grub.cfg, the entry that GRUB boots then. */
  const ENTRY: Readonly<Record<NextBoot, string>> = {
    'own-default': 'first',
    proven: 'first',
    'known-good': KNOWN_GOOD,
    'known-good-trial-staged': KNOWN_GOOD,
    'known-good-ordinary-staged': KNOWN_GOOD,
    'trial-once': 'gpu-provision-trial',
    'ordinary-once': 'first',
  };
  const { 'ordinary once after a custom.cfg': after, ...own } = texts;
  const forms = { ...own, none: '', theirs: `menuentry 'theirs' {\n  linux ${KERNEL} ro\n}\n` };

  it('is what GRUB boots, for every form of custom.cfg, armed or not', () => {
    const said = Object.values(forms).flatMap((text) =>
      [false, true].map((armed) => {
        const next = nextBoot(text === '' ? null : text, armed);
        expect(boots(text, { armed }), `${next}: ${text}`).toBe(ENTRY[next]);
        return next;
      }),
    );
    expect(new Set(said)).toEqual(new Set(Object.keys(ENTRY)));
    expect([false, true].map((armed) => nextBoot(after, armed))).toEqual([
      'known-good-ordinary-staged',
      'ordinary-once',
    ]);
  });
});
