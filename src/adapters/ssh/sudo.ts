/**
 * Recognises a sudo that did not run the command at all.
 * @module
 */
import type { ExecResult } from '../../ports/host.js';

/** What sudo 1.9 and sudo-rs say when they refuse, and the shell when there is no sudo. Each comes with exit code 1 or 127. */
const REFUSALS: readonly RegExp[] = [
  /^sudo: a password is required$/m,
  /^sudo: interactive authentication is required$/m,
  /^sudo: a terminal is required to /m,
  /^sudo: sorry, you must have a tty to run sudo$/m,
  /^\S+ is not in the sudoers file/m,
  /^Sorry, user \S+ (is not allowed to execute|may not run sudo)/m,
  /^sudo-rs: .*(password|authentication|not allowed)/im,
  /sudo: (command )?not found$/m,
];

/** The refusal in sudo's words, or null when the command itself ran. */
export function sudoRefusal(result: ExecResult): string | null {
  if ((result.exitCode !== 1 && result.exitCode !== 127) || result.stdout !== '') return null;
  for (const refusal of REFUSALS) {
    const found = refusal.exec(result.stderr);
    if (found) return result.stderr.slice(found.index).split('\n')[0]?.trim() ?? null;
  }
  return null;
}
