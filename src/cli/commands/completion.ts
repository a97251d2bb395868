import type { Command } from 'commander';
import { EXIT } from '../../domain/run/outcomes.js';
import { completed } from '../completion/model.js';
import { completionScript, type Shell } from '../completion/shells.js';
import type { Deps } from '../deps.js';

export interface CompletionArgs {
  readonly shell: Shell;
}

/** A script for the shell, which knows every command of these programs. */
export function completion(programs: () => readonly Command[]) {
  return async ({ io }: Deps, { shell }: CompletionArgs): Promise<number> => {
    io.stdout(completionScript(shell, completed(programs())));
    return EXIT.done;
  };
}
