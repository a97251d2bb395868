import { describe, expect, it } from 'vitest';
import {
  counterparts,
  metapackagesOf,
  nextKernels,
  notOfTheKernel,
  packagesOf,
  parseSimulation,
  pinned,
} from './kernel-upgrade.js';

const OLD = '6.8.0-60-generic';
const NEW = '6.8.0-62-generic';

/** As apt 2.6.1 prints it of packages that are held, with `--allow-change-held-packages`. */
const OF_METAPACKAGES = `Reading package lists...
The following packages were automatically installed and are no longer required:
  linux-headers-6.8.0-60 linux-headers-6.8.0-60-generic
The following held packages will be changed:
  linux-generic linux-headers-generic linux-image-generic
3 upgraded, 5 newly installed, 0 to remove and 0 not upgraded.
Inst linux-modules-${NEW} (6.8.0-62.62 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])
Inst linux-image-${NEW} (6.8.0-62.62 localhost [all])
Inst linux-modules-extra-${NEW} (6.8.0-62.62 localhost [all])
Inst linux-generic [6.8.0-60.60] (6.8.0-62.62 localhost [all]) []
Inst linux-image-generic [6.8.0-60.60] (6.8.0-62.62 localhost [all]) []
Inst linux-headers-6.8.0-62 (6.8.0-62.62 localhost [all]) []
Inst linux-headers-generic:amd64 [6.8.0-60.60] (6.8.0-62.62 localhost [all])
Conf linux-modules-${NEW} (6.8.0-62.62 localhost [all])
`;
const of = (...lines: readonly string[]): ReturnType<typeof parseSimulation> => parseSimulation(lines.join('\n'));
const image = (release: string): string => `Inst linux-image-${release} (1 Ubuntu:24.04/noble [amd64])`;

describe('what apt would do', () => {
  it('is read from its lines: new, changed and removed, without what it says to people', () => {
    const { installs, removes } = parseSimulation(`${OF_METAPACKAGES}Remv dkms [3.0.11]\nPurg drbd-dkms [9.2.12] []\n`);
    expect(installs).toHaveLength(7);
    expect(installs[0]).toEqual({ name: `linux-modules-${NEW}`, version: '6.8.0-62.62', from: null });
    expect(installs[6]).toEqual({ name: 'linux-headers-generic', version: '6.8.0-62.62', from: '6.8.0-60.60' });
    expect(removes).toEqual(['dkms', 'drbd-dkms']);
    expect(parseSimulation('Reading package lists...\n')).toEqual({ installs: [], removes: [] });
  });

  it('is listed by name, as apt-get is told it', () => {
    const packages = packagesOf(of(image(NEW), `Inst linux-headers-6.8.0-62 (2 x [all])`));
    expect(pinned(packages)).toEqual(['linux-headers-6.8.0-62=2', `linux-image-${NEW}=1`]);
  });
});

describe('the next kernel', () => {
  it('is the one that the metapackages would bring', () => {
    expect(nextKernels(parseSimulation(OF_METAPACKAGES), OLD)).toEqual([NEW]);
  });

  const ROWS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['nothing is new', ['Inst linux-generic [1] (2 x [amd64])'], []],
    ['the image in place would change', [`Inst linux-image-${OLD} [1] (2 x [amd64])`], []],
    ['the kernel is older', [image('6.8.0-59-generic')], []],
    ['numbers are compared as numbers', [image('6.8.0-100-generic')], ['6.8.0-100-generic']],
    ['it is of another flavour', [image('6.8.0-1020-nvidia')], []],
    ['two metapackages disagree', [image(NEW), image('6.11.0-29-generic')], [NEW, '6.11.0-29-generic']],
    ['it is only a metapackage', ['Inst linux-image-generic (2 x [amd64])'], []],
  ];
  it.each(ROWS)('where %s', (_, lines, expected) => {
    expect(nextKernels(of(...lines), OLD)).toEqual(expected);
  });
});

it('metapackages are told from packages of a kernel, and from what only sounds like one', () => {
  const names = ['linux-generic', 'linux-image-generic-hwe-24.04', 'linux-headers-nvidia', `linux-image-${OLD}`];
  expect(metapackagesOf([...names, 'linux-firmware', 'linux-libc-dev', 'xlinux-generic'])).toEqual(names.slice(0, 3));
});

it('what is installed for one kernel is wanted for the other: prebuilt drivers too', () => {
  const installed = [
    `linux-image-${OLD}`,
    `linux-headers-${OLD}`,
    'linux-headers-6.8.0-60',
    `linux-modules-nvidia-580-server-open-${OLD}`,
    'linux-firmware',
  ];
  expect(counterparts(installed, OLD, NEW)).toEqual([
    `linux-image-${NEW}`,
    `linux-headers-${NEW}`,
    `linux-modules-nvidia-580-server-open-${NEW}`,
  ]);
});

describe('anything beside the packages of that kernel', () => {
  const ROWS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['its own packages', [image(NEW), 'Inst linux-headers-6.8.0-62 (1 x [all])'], []],
    ['headers of another series', ['Inst linux-hwe-6.8-headers-6.8.0-62 (1 x [all])'], []],
    ['an upgrade', ['Inst linux-firmware [1] (2 x [all])'], ['linux-firmware would change from 1 to 2']],
    [
      'something else',
      ['Inst wireless-regdb (1 x [all])'],
      [`wireless-regdb 1 would be installed, and is no package of kernel ${NEW}`],
    ],
    [
      'another kernel',
      [image('6.8.0-63-generic')],
      [`linux-image-6.8.0-63-generic 1 would be installed, and is no package of kernel ${NEW}`],
    ],
    ['a removal', ['Remv dkms [3.0.11]'], ['dkms would be removed']],
  ];
  it.each(ROWS)('%s', (_, lines, says) => {
    expect(notOfTheKernel(of(...lines), NEW)).toEqual(says);
  });
});
