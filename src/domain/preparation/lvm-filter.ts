/**
 * Keeps the host's LVM off volumes that belong to guests: without the filter it activates volume groups found inside them.
 * @module
 */

export const LVM_CONF_PATH = '/etc/lvm/lvm.conf';

const DM = 'r|^/dev/dm-.*|';
const FILTER = ['r|^/dev/drbd.*|', DM, 'r|^/dev/zd.*|', 'r|^/dev/loop.*|'];

/** `dmInUse`: root or a physical volume lies on device-mapper (LUKS, multipath, LVM); hiding dm-* would cost the next boot its root. */
export const wantedFilter = (dmInUse: boolean): readonly string[] =>
  dmInUse ? FILTER.filter((pattern) => pattern !== DM) : FILTER;

const ACTIVE = /^\s*global_filter\s*=/;
const EXAMPLE = /^(\s*)#\s*global_filter\s*=/;

/**
 * lvm.conf with our patterns first in devices/global_filter; patterns of others stay, behind ours, since the first match decides. The same text
 * when they are there. null when the file isn't understood.
 */
export function withGlobalFilter(conf: string, wanted: readonly string[]): string | null {
  const lines = conf.split('\n');
  const start = lines.findIndex((line) => /^\s*devices\s*\{\s*(#.*)?$/.test(line));
  if (start < 0) return /^[ \t]*devices\b/m.test(conf) ? null : `${conf}devices {\n\t${setting(wanted)}\n}\n`;
  const end = lines.findIndex((line, index) => index > start && /^\s*\}/.test(line));
  if (end < 0) return null;

  const active = lines.findIndex((line, index) => index > start && index < end && ACTIVE.test(line));
  if (active >= 0) {
    const last = lines.findIndex((line, index) => index >= active && /\]\s*(#|$)/.test(line));
    if (last < 0 || last > end) return null;
    const present = filterPatterns(lines.slice(active, last + 1).join('\n'));
    if (wanted.every((pattern) => present.includes(pattern))) return conf;
    const merged = [...wanted, ...present.filter((pattern) => !wanted.includes(pattern))];
    return lines.toSpliced(active, last - active + 1, `\t${setting(merged)}`).join('\n');
  }
  const example = lines.findIndex((line, index) => index > start && index < end && EXAMPLE.test(line));
  if (example < 0) return lines.toSpliced(start + 1, 0, `\t${setting(wanted)}`).join('\n');
  const indent = EXAMPLE.exec(lines[example] ?? '')?.[1] ?? '\t';
  return lines.toSpliced(example, 1, `${indent}${setting(wanted)}`).join('\n');
}

const setting = (patterns: readonly string[]): string =>
  `global_filter = [${patterns.map((pattern) => `"${pattern}"`).join(', ')}]`;

/** Patterns of a global_filter, as lvm.conf and `lvmconfig devices/global_filter` write it. One without its last quote is none. */
export function filterPatterns(text: string): readonly string[] {
  // An open quote is matched to the end of the text: begun anew at each quote in it, the search would take quadratic time.
  const quoted = text.matchAll(/"((?:[^"\\]|\\.)*)(?:(")|\\?$)/gs);
  return [...quoted].flatMap(([, pattern = '', end]) => (end === undefined ? [] : [pattern]));
}

/** Whether one of these device paths is made by device-mapper. */
export function onDeviceMapper(paths: readonly string[]): boolean {
  return paths.some((path) => /^\/dev\/(mapper\/|dm-)/.test(path.trim()));
}
