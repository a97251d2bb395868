/**
 * Unit files as systemd reads them: sections, repeated keys, drop-ins, masks.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';

/** Highest precedence first. */
export const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/run/systemd/transient',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
] as const;

export class UnitFile {
  private readonly sections = new Map<string, [key: string, value: string][]>();

  constructor(
    /** Where it was found. */
    readonly path: string,
    text: string,
  ) {
    this.add(text);
  }

  /** A drop-in: an empty value clears what came before. */
  add(text: string): void {
    let section: [string, string][] = [];
    for (const line of text
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((raw) => raw.trim())) {
      const heading = /^\[(.+)\]$/.exec(line)?.[1];
      if (heading !== undefined) {
        section = this.sections.get(heading) ?? [];
        this.sections.set(heading, section);
      } else if (line !== '' && !line.startsWith('#') && !line.startsWith(';')) {
        const at = line.indexOf('=');
        if (at < 0) continue;
        const key = line.slice(0, at).trim();
        const value = line.slice(at + 1).trim();
        if (value === '') {
          const kept = section.filter(([known]) => known !== key);
          section.length = 0;
          section.push(...kept);
        } else {
          section.push([key, value]);
        }
      }
    }
  }

  all(section: string, key: string): readonly string[] {
    return (this.sections.get(section) ?? []).filter(([known]) => known === key).map(([, value]) => value);
  }

  /** The last one counts. */
  get(section: string, key: string): string | undefined {
    return this.all(section, key).at(-1);
  }

  words(section: string, key: string): readonly string[] {
    return this.all(section, key).flatMap((value) => value.split(/\s+/).filter((word) => word !== ''));
  }
}

export type UnitLookup =
  { readonly kind: 'found'; readonly file: UnitFile } | { readonly kind: 'masked' } | { readonly kind: 'missing' };

export function findUnit(name: string, fs: FileSystem): UnitLookup {
  const template = name.replace(/@[^.]*\./, '@.');
  for (const candidate of template === name ? [name] : [name, template]) {
    for (const directory of UNIT_DIRECTORIES) {
      const path = `${directory}/${candidate}`;
      const entry = fs.entry(path);
      if (entry === undefined) continue;
      if (entry.kind === 'node' || (entry.kind === 'file' && entry.content.length === 0)) return { kind: 'masked' };
      const unit = new UnitFile(path, fs.text(path) ?? '');
      for (const dropIns of UNIT_DIRECTORIES) {
        for (const file of fs.list(`${dropIns}/${candidate}.d`).filter((known) => known.endsWith('.conf'))) {
          unit.add(fs.text(`${dropIns}/${candidate}.d/${file}`) ?? '');
        }
      }
      return { kind: 'found', file: unit };
    }
  }
  return { kind: 'missing' };
}

/** Units that `TARGET.wants` and `TARGET.requires` name. */
export function wantedBy(target: string, fs: FileSystem): readonly string[] {
  const names = new Set<string>();
  for (const directory of UNIT_DIRECTORIES) {
    for (const kind of ['wants', 'requires'])
      for (const name of fs.list(`${directory}/${target}.${kind}`)) names.add(name);
  }
  return [...names].toSorted();
}

/** `30s`, `5min`, `1h 30min`, `100ms`, a bare number of seconds; milliseconds. */
export function parseTimeSpan(text: string): number {
  const units: Readonly<Record<string, number>> = {
    ms: 1,
    msec: 1,
    s: 1000,
    sec: 1000,
    seconds: 1000,
    m: 60_000,
    min: 60_000,
    minutes: 60_000,
    h: 3_600_000,
    hr: 3_600_000,
    d: 86_400_000,
  };
  let total = 0;
  for (const [, number = '0', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/g))
    total += Number(number) * (units[unit === '' ? 's' : unit] ?? 1000);
  return total;
}

/** Words of an Exec line: quotes as in the shell, no expansion. */
export function splitCommand(text: string): readonly string[] {
  const words: string[] = [];
  for (const [, double, single, bare] of text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)) {
    words.push(double?.replaceAll(/\\(.)/g, '$1') ?? single ?? bare ?? '');
  }
  return words;
}
