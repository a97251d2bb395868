/**
 * What writing a file would change, for the plan. Read-only: the new content goes to diff over its standard input.
 * @module
 */
import type { PlannedChange } from '../../domain/preflight.js';
import { ProvisionError } from '../../ports/failure.js';
import type { FileContent, RemoteHost } from './remote-host.js';

export type PreviewedChange = Omit<PlannedChange, 'phase'>;

/** `PATH`, new content on stdin: unified diff. Exit 0 equal, 1 different. */
const DIFF_FILE = `set -u
old=$1
if [ ! -e "$old" ]; then old=/dev/null; fi
diff -u --label "$1" --label "$1 (planned)" "$old" -`;

/** Enough to judge a configuration file; the plan is shown, stored and sent as a whole. */
const DIFF_LIMIT = 4_000;

/** One change, or none when the file is as wanted. */
export async function previewFile(host: RemoteHost, file: FileContent): Promise<readonly PreviewedChange[]> {
  if (await host.fileIs(file)) return [];
  const result = await host.exec(['sh', '-c', DIFF_FILE, 'gpu-provision', file.path], { stdin: file.content });
  if (result.exitCode !== 0 && result.exitCode !== 1)
    throw new ProvisionError(
      'CommandFailed',
      `diff of ${file.path} exited with ${result.exitCode}: ${result.stderr.trim()}`,
    );
  const diff =
    result.stdout.length > DIFF_LIMIT
      ? `${result.stdout.slice(0, DIFF_LIMIT)}\n… ${result.stdout.length - DIFF_LIMIT} more characters\n`
      : result.stdout;
  return [{ sign: (await host.exists(file.path)) ? '~' : '+', kind: 'file', what: file.path, diff }];
}

/** New things of one kind. */
export function additions(kind: PlannedChange['kind'], names: readonly string[]): readonly PreviewedChange[] {
  return names.map((what) => ({ sign: '+', kind, what, diff: '' }));
}
