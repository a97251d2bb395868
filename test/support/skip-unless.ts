/**
 * Tests that need a program of the system: without it they are reported as skipped with the reason, but a CI run must have it.
 * @module
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

/** Daemons live in the sbin directories, which are not on everybody's PATH. */
const DIRECTORIES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The program's path, or null. */
export function findProgram(name: string): string | null {
  const isProgram = (path: string): boolean => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return DIRECTORIES.map((directory) => join(directory, name)).find(isProgram) ?? null;
}

/** A suite over real programs. `packages` is what to install on Debian and Ubuntu. */
export function describeWith(title: string, programs: readonly string[], packages: string, suite: () => void): void {
  const missing = programs.filter((program) => findProgram(program) === null);
  describeUnless(missing.length > 0 && `${missing.join(', ')} is not installed: apt install ${packages}`, title, suite);
}

/** A suite that cannot run for a reason, or false. */
export function describeUnless(reason: string | false, title: string, suite: () => void): void {
  // oxlint-disable-next-line vitest/no-conditional-tests -- whether there are tests is the point
  if (reason === false) {
    // oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback -- title and suite are the caller's
    describe(title, suite);
    return;
  }
  // oxlint-disable-next-line vitest/valid-title, vitest/expect-expect -- the title is the caller's; it skips or fails
  it(title, (ctx) => {
    if (process.env['CI'] === 'true') throw new Error(reason);
    ctx.skip(reason);
  });
}
