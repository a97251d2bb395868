/**
 * Enabling, disabling and masking units: links below /etc/systemd/system.
 * @module
 */
import { type Call, type ProgramResult, fail } from '../shell/program.js';
import type { SystemManager } from '../systemd/manager.js';
import { UNIT_DIRECTORIES, findUnit } from '../systemd/unit-file.js';

export const withSuffix = (name: string): string =>
  /\.(service|timer|socket|target|mount|path|slice|scope)$/.test(name) ? name : `${name}.service`;

export function manager(call: Call): SystemManager {
  const { systemd } = call.kernel;
  if (systemd === null) throw new Error('System has not been booted with systemd as init system');
  return systemd;
}

/** `*`, `?` and `[…]` as in a shell. */
export function globs(pattern: string): RegExp {
  const body = pattern
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${body}$`);
}

export function unitFileState(call: Call, name: string): string | null {
  const found = findUnit(name, call.fs);
  if (found.kind === 'masked') return 'masked';
  if (found.kind === 'missing') return null;
  if (found.file.path.startsWith('/run/systemd/transient/')) return 'transient';
  const wants = [...found.file.words('Install', 'WantedBy'), ...found.file.words('Install', 'RequiredBy')];
  for (const directory of UNIT_DIRECTORIES) {
    for (const entry of call.fs.list(directory).filter((known) => /\.(wants|requires)$/.test(known))) {
      if (call.fs.list(`${directory}/${entry}`).includes(name))
        return directory.startsWith('/usr/lib') && wants.length === 0 ? 'static' : 'enabled';
    }
  }
  return wants.length === 0 && found.file.words('Install', 'Also').length === 0 ? 'static' : 'disabled';
}

export async function enable(call: Call, name: string): Promise<ProgramResult | null> {
  const found = findUnit(name, call.fs);
  if (found.kind === 'masked')
    return fail(1, `Failed to enable unit: Unit file /etc/systemd/system/${name} is masked.`);
  if (found.kind === 'missing') return fail(1, `Failed to enable unit: Unit file ${name} does not exist.`);
  const links = [
    ...found.file.words('Install', 'WantedBy').map((target) => `${target}.wants`),
    ...found.file.words('Install', 'RequiredBy').map((target) => `${target}.requires`),
  ];
  let stderr = '';
  for (const directory of links) {
    const path = `/etc/systemd/system/${directory}/${name}`;
    if (call.fs.entry(path) !== undefined) continue;
    await call.fs.mkdir(`/etc/systemd/system/${directory}`, { recursive: true });
    await call.fs.rm(path, { force: true });
    await call.fs.symlink(found.file.path, path);
    stderr += `Created symlink ${path} → ${found.file.path}.\n`;
  }
  return { stderr };
}

export async function disable(call: Call, name: string): Promise<string> {
  let stderr = '';
  for (const known of call.fs.list('/etc/systemd/system').filter((entry) => /\.(wants|requires)$/.test(entry))) {
    const directory = `/etc/systemd/system/${known}`;
    const path = `${directory}/${name}`;
    if (!call.fs.list(directory).includes(name)) continue;
    await call.fs.rm(path, { force: true });
    stderr += `Removed "${path}".\n`;
    if (call.fs.list(directory).length === 0) await call.fs.rm(directory);
  }
  return stderr;
}

export async function mask(call: Call, name: string, runtime: boolean): Promise<ProgramResult | null> {
  const path = `${runtime ? '/run' : '/etc'}/systemd/system/${name}`;
  const entry = call.fs.entry(path);
  if (entry?.kind === 'node') return null;
  if (entry !== undefined) return fail(1, `Failed to mask unit: File '${path}' already exists.`);
  await call.fs.rm(path, { force: true });
  await call.fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  await call.fs.symlink('/dev/null', path);
  return { stderr: `Created symlink ${path} → /dev/null.\n` };
}

export async function unmask(call: Call, name: string): Promise<string> {
  let stderr = '';
  for (const root of ['/etc', '/run']) {
    const path = `${root}/systemd/system/${name}`;
    if (call.fs.entry(path)?.kind !== 'node') continue;
    await call.fs.rm(path, { force: true });
    stderr += `Removed "${path}".\n`;
  }
  return stderr;
}
