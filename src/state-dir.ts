/**
 * Where workers keep what outlives them.
 * @module
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `~/.local/state/gpu-provision`, or below XDG_STATE_HOME. */
export function stateDir(env: Readonly<Record<string, string | undefined>>): string {
  const xdg = env['XDG_STATE_HOME'] ?? '';
  // The XDG specification: a relative path is to be ignored.
  return join(isAbsolute(xdg) ? xdg : join(homedir(), '.local', 'state'), 'gpu-provision');
}
