/**
 * sysctl.
 * @module
 */
import { type Call, type Program, type Programs, fail, parseArgs } from '../shell/program.js';

/** `KEY=VALUE` lines of files, in the order sysctl --system takes them. */
function sysctlFiles(call: Call): readonly string[] {
  const byName = new Map<string, string>();
  for (const dir of ['/usr/lib/sysctl.d', '/run/sysctl.d', '/etc/sysctl.d'])
    for (const name of call.fs.list(dir)) if (name.endsWith('.conf')) byName.set(name, `${dir}/${name}`);
  return [...[...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path), '/etc/sysctl.conf'];
}

const sysctl: Program = (call) => {
  const { flags, values, rest } = parseArgs(call.args, []);
  const { sysctls } = call.kernel;
  let stdout = '';
  let stderr = '';
  const set = (line: string): void => {
    const at = line.indexOf('=');
    const tolerant = line.startsWith('-');
    const key = line
      .slice(tolerant ? 1 : 0, at)
      .trim()
      .replaceAll('/', '.');
    const value = line.slice(at + 1).trim();
    if (!sysctls.has(key)) {
      if (!tolerant) stderr += `sysctl: cannot stat /proc/sys/${key.replaceAll('.', '/')}: No such file or directory\n`;
      return;
    }
    sysctls.set(key, value);
    if (!flags.has('-q')) stdout += `${key} = ${value}\n`;
  };
  const load = (path: string): void => {
    for (const line of (call.fs.text(path) ?? '').split('\n').map((raw) => raw.trim()))
      if (line.includes('=') && !/^[#;]/.test(line)) set(line);
  };
  if (flags.has('--system') || values.has('--system')) {
    for (const path of sysctlFiles(call)) {
      if (call.fs.entry(path) === undefined) continue;
      stdout += `* Applying ${path} ...\n`;
      load(path);
    }
    // As procps: what doesn't exist is reported, and doesn't fail.
    return { stdout, stderr };
  }
  if (flags.has('-p')) {
    for (const path of rest.length === 0 ? ['/etc/sysctl.conf'] : rest) {
      if (call.fs.entry(call.path(path)) === undefined)
        return fail(255, `sysctl: cannot open "${path}": No such file or directory`);
      load(call.path(path));
    }
    return { stdout, stderr, exitCode: stderr === '' ? 0 : 255 };
  }
  for (const word of rest) {
    if (word.includes('=')) set(word);
    else {
      const key = word.replaceAll('/', '.');
      const value = sysctls.get(key);
      if (value === undefined)
        stderr += `sysctl: cannot stat /proc/sys/${key.replaceAll('.', '/')}: No such file or directory\n`;
      else stdout += flags.has('-n') ? `${value}\n` : `${key} = ${value}\n`;
    }
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 255 };
};

export const SYSCTL_PROGRAMS: Programs = { sysctl };
