/**
 * What mkinitramfs takes into an image, by the rules of initramfs-tools 0.142: every regular file of `scripts/` is copied whatever
 * its mode, but ORDER names only executable scripts that parse; independent scripts keep their alphabetical order.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';
import { bytesOf, textOf } from '../disk/entry.js';
import { KERNEL_MODULES, moduleName } from '../pci/modules.js';
import { syntaxError } from '../shell/rewrite.js';
import { packImage, type ImageFile } from './initramfs-image.js';

const SCRIPT_ROOTS = ['/usr/share/initramfs-tools/scripts', '/etc/initramfs-tools/scripts'] as const;
const SCRIPT_DIRECTORIES = [
  'init-top',
  'init-premount',
  'local-top',
  'local-block',
  'local-premount',
  'local-bottom',
  'nfs-top',
  'nfs-bottom',
  'panic',
  'init-bottom',
] as const;
/** Present with MODULES=most: what finds the root disk, the network, and the display or compute devices. */
const MOST_MODULES = [
  'nvme',
  'mlx5_core',
  'nvidia',
  'nvidia_modeset',
  'nvidia_drm',
  'nvidia_uvm',
  'dm_snapshot',
  'dm_mirror',
  'dm_crypt',
  'dm_thin_pool',
  'dm_multipath',
];
/** busybox, klibc and what hooks of packages add. */
const PROGRAMS = (
  'sh cat echo mkdir ln ls rm cp mv sleep readlink printf true false test grep sed cut head tail tr wc uname mount umount modprobe ' +
  'udevadm dmesg basename dirname touch chmod sync reboot ps kill env expr sort find awk'
).split(' ');

export interface BuildHost {
  readonly fs: FileSystem;
  /** Runs a script with the argument `prereqs` on the live host, as mkinitramfs does; its standard output. */
  prereqs(path: string): Promise<string>;
  warn(text: string): void;
}

export async function makeImage(host: BuildHost, kernel: string, build: number): Promise<Uint8Array> {
  const files: Record<string, ImageFile> = {};
  const { fs } = host;
  for (const directory of SCRIPT_DIRECTORIES) {
    const sources = scriptSources(fs, directory);
    for (const [name, path] of sources) files[`scripts/${directory}/${name}`] = copied(fs, path);
    const order = await scriptOrder(host, sources);
    if (order.length > 0) {
      const lines = order.map(
        (name) => `/scripts/${directory}/${name} "$@"\n[ -e /conf/param.conf ] && . /conf/param.conf\n`,
      );
      files[`scripts/${directory}/ORDER`] = { mode: 0o644, text: lines.join('') };
    }
  }
  for (const name of ['functions', 'local', 'nfs']) {
    const text = fs.text(`/usr/share/initramfs-tools/scripts/${name}`);
    if (text !== null) files[`scripts/${name}`] = { mode: 0o644, text };
  }
  const forced = moduleLines(fs);
  files['conf/modules'] = { mode: 0o644, text: forced.map((line) => `${line}\n`).join('') };
  files['conf/arch.conf'] = { mode: 0o644, text: 'DPKG_ARCH=amd64\n' };
  files['conf/initramfs.conf'] = { mode: 0o644, text: fs.text('/etc/initramfs-tools/initramfs.conf') ?? '' };
  files['init'] = { mode: 0o755, text: '#!/bin/sh\n' };
  for (const [path, entry] of moduleFiles(fs, kernel, [
    ...MOST_MODULES,
    ...forced.map((line) => line.split(/\s+/)[0] ?? ''),
  ]))
    files[path] = entry;
  for (const name of fs.list('/etc/modprobe.d').filter((known) => known.endsWith('.conf')))
    files[`etc/modprobe.d/${name}`] = copied(fs, `/etc/modprobe.d/${name}`);
  for (const name of PROGRAMS) files[`usr/bin/${name}`] = { mode: 0o755, text: `\x7fELF ${name}\n` };
  files['bin'] = { mode: 0o777, link: 'usr/bin' };
  files['sbin'] = { mode: 0o777, link: 'usr/bin' };
  files['lib'] = { mode: 0o777, link: 'usr/lib' };
  files['usr/lib/systemd/systemd-udevd'] = { mode: 0o755, text: '\x7fELF lab:udevd\n' };
  return packImage({ kernel, build, files });
}

/** By name; a script in /etc replaces the packaged one. Only names that run-parts would accept. */
function scriptSources(fs: FileSystem, directory: string): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const root of SCRIPT_ROOTS) {
    for (const name of fs.list(`${root}/${directory}`)) {
      if (/^[A-Za-z0-9_][\w.-]*$/.test(name) && fs.entry(`${root}/${directory}/${name}`)?.kind === 'file')
        sources.set(name, `${root}/${directory}/${name}`);
    }
  }
  return new Map([...sources].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function scriptOrder(host: BuildHost, sources: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const after = new Map<string, readonly string[]>();
  for (const [name, path] of sources) {
    const entry = host.fs.entry(path);
    if (entry === undefined || (entry.mode & 0o111) === 0) continue;
    const error = syntaxError(host.fs.text(path) ?? '');
    if (error !== null) {
      host.warn(`W: ${path} ignored: not executable or with a syntax error: ${error}`);
      continue;
    }
    after.set(
      name,
      (await host.prereqs(path)).split(/\s+/).filter((word) => word !== ''),
    );
  }
  return topological(after);
}

/** As tsort prints pairs of each name with itself, in the order given. Names that don't exist are ignored. */
export function topological(after: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const order: string[] = [];
  const left = new Set(after.keys());
  while (left.size > 0) {
    const next =
      [...left].find((name) => !(after.get(name) ?? []).some((other) => other !== name && left.has(other))) ??
      [...left][0] ??
      '';
    left.delete(next);
    order.push(next);
  }
  return order;
}

function moduleLines(fs: FileSystem): readonly string[] {
  return ['/usr/share/initramfs-tools/modules', '/etc/initramfs-tools/modules']
    .flatMap((path) => (fs.text(path) ?? '').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function moduleFiles(fs: FileSystem, kernel: string, wanted: readonly string[]): ReadonlyMap<string, ImageFile> {
  const files = new Map<string, ImageFile>();
  const add = (name: string): void => {
    const module = KERNEL_MODULES.get(moduleName(name));
    if (module === undefined) return;
    const path = `/usr/lib/modules/${kernel}/kernel/${module.file}`;
    const found = ['', '.zst', '.xz']
      .map((suffix) => path + suffix)
      .find((candidate) => fs.entry(candidate) !== undefined);
    if (found === undefined) return;
    files.set(found.slice(1), copied(fs, found));
    for (const dependency of module.depends) add(dependency);
  };
  for (const name of wanted) add(name);
  const builtin = `/usr/lib/modules/${kernel}/modules.builtin`;
  if (fs.entry(builtin) !== undefined) files.set(builtin.slice(1), copied(fs, builtin));
  return files;
}

function copied(fs: FileSystem, path: string): ImageFile {
  const entry = fs.entry(path);
  return { mode: entry?.mode ?? 0o644, text: entry?.kind === 'file' ? textOf(entry.content) : textOf(bytesOf('')) };
}
