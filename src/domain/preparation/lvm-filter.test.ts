import { describe, expect, it } from 'vitest';
import { filterPatterns, onDeviceMapper, wantedFilter, withGlobalFilter } from './lvm-filter.js';

const wanted = wantedFilter(false);
const UBUNTU = `config {
	checks = 1
}
devices {
	dir = "/dev"
	# Configuration option devices/filter.
	# filter = [ "a|.*|" ]

	# Configuration option devices/global_filter.
	# Because devices/filter may be overridden from the command line, it is
	# global_filter = [ "a|.*|" ]
	types = [ "fd", 16 ]
}
allocation {
	# global_filter = [ "not here" ]
}
`;

describe('the global filter of LVM', () => {
  it('takes the place of the example, and of nothing else', () => {
    const now = withGlobalFilter(UBUNTU, wanted);
    expect(now?.split('\n').filter((line) => !UBUNTU.split('\n').includes(line))).toEqual([
      '\tglobal_filter = ["r|^/dev/drbd.*|", "r|^/dev/dm-.*|", "r|^/dev/zd.*|", "r|^/dev/loop.*|"]',
    ]);
    expect(now?.split('\n')).toHaveLength(UBUNTU.split('\n').length);
  });

  it('is written once', () => {
    const once = withGlobalFilter(UBUNTU, wanted) ?? '';
    expect(withGlobalFilter(once, wanted)).toBe(once);
  });

  it('keeps the patterns of others, behind ours', () => {
    const conf = 'devices {\n\tglobal_filter = [ "r|/dev/sdz|",\n\t\t"a|.*|" ]\n\tdir = "/dev"\n}\n';
    const now = withGlobalFilter(conf, wanted) ?? '';
    expect(filterPatterns(now.split('\n')[1] ?? '')).toEqual([...wanted, 'r|/dev/sdz|', 'a|.*|']);
    expect(now).toContain('\n\tdir = "/dev"\n}\n');
  });

  it('is added where the file has no example, and where it has no devices section', () => {
    expect(withGlobalFilter('devices {\n}\n', wanted)?.split('\n')[1]).toContain('global_filter');
    expect(withGlobalFilter('', wanted)).toMatch(/^devices \{\n\tglobal_filter = \[.*\]\n\}\n$/);
  });

  it.each(['devices { dir = "/dev" }\n', 'devices {\n\tdir = "/dev"\n', 'devices {\n\tglobal_filter = [ "a|.*|"\n}\n'])(
    'is left alone in a file that is not understood: %j',
    (conf) => {
      expect(withGlobalFilter(conf, wanted)).toBeNull();
    },
  );

  it('leaves dm-* visible where root or volumes lie on it', () => {
    expect(wantedFilter(true)).toEqual(['r|^/dev/drbd.*|', 'r|^/dev/zd.*|', 'r|^/dev/loop.*|']);
    expect(onDeviceMapper(['/dev/mapper/vg-root'])).toBe(true);
    expect(onDeviceMapper(['  /dev/dm-3  '])).toBe(true);
    expect(onDeviceMapper(['/dev/nvme0n1p2', ''])).toBe(false);
  });

  it('is read back from lvmconfig', () => {
    expect(filterPatterns('global_filter=["r|^/dev/drbd.*|","r|^/dev/zd.*|"]')).toEqual([
      'r|^/dev/drbd.*|',
      'r|^/dev/zd.*|',
    ]);
  });
});
