/**
 * What writing a file would change, for the plan. Read-only: the new content goes to diff over its standard input.
 * @module
 */
import type { PlannedChange } from '../../domain/preflight.js';
import { ProvisionError } from '../../ports/failure.js';
import { sha256, type FileContent, type RemoteHost } from './remote-host.js';

export type PreviewedChange = Omit<PlannedChange, 'phase'>;

/** `PATH`, new content on stdin: unified diff. Exit 0 equal, 1 different. */
const DIFF_FILE = `set -u
old=$1
if [ ! -e "$old" ]; then old=/dev/null; fi
diff -u "$old" -`;

/** Enough to judge a configuration file; the plan is shown, stored and sent as a whole. */
const DIFF_LIMIT = 4_000;

/** One change, or none when the file is as wanted. */
export async function previewFile(host: RemoteHost, file: FileContent): Promise<readonly PreviewedChange[]> {
  if (await host.fileIs(file)) return [];
  const present = await host.hashFiles([file.path]);
  const old = present.get(file.path) ?? null;
  // Only mode or owner differ.
  if (old === sha256(file.content)) return [{ sign: '~', kind: 'file', what: file.path, diff: '' }];
  const result = await host.exec(['sh', '-c', DIFF_FILE, 'gpu-provision', file.path], { stdin: file.content });
  // Whatever the header says (the file's time, `-`): the plan names the path.
  const hunks = result.stdout.indexOf('@@');
  if (result.exitCode !== 1 || hunks < 0)
    throw new ProvisionError(
      'CommandFailed',
      `diff of ${file.path} exited with ${result.exitCode}: ${result.stderr.trim()}`,
    );
  const full = `--- ${file.path}\n+++ ${file.path} (planned)\n${result.stdout.slice(hunks)}`;
  const diff =
    full.length > DIFF_LIMIT ? `${full.slice(0, DIFF_LIMIT)}\n… ${full.length - DIFF_LIMIT} more characters\n` : full;
  return [{ sign: old === null ? '+' : '~', kind: 'file', what: file.path, diff }];
}

/** New things of one kind. */
export function additions(kind: PlannedChange['kind'], names: readonly string[]): readonly PreviewedChange[] {
  return names.map((what) => ({ sign: '+', kind, what, diff: '' }));
}
