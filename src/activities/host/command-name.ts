/**
 * What a command is called in traces: the program that does the work, or the script of ours, without the lock and the fence around it.
 * @module
 */
import * as k3sScripts from '../cluster/k3s-scripts.js';
import * as bootScripts from './boot-scripts.js';
import * as factScripts from './facts-scripts.js';
import * as hostScripts from './scripts.js';

/** `SAVE_ORIGINAL` is `save-original`. */
const NAMES: ReadonlyMap<unknown, string> = new Map(
  Object.entries({ ...k3sScripts, ...bootScripts, ...factScripts, ...hostScripts }).map(([name, script]) => [
    script,
    name.toLowerCase().replaceAll('_', '-'),
  ]),
);

/** Words before the command: `flock -w SECONDS -E CODE LOCK`, `sh -c FENCED gpu-provision FENCE RUN EPOCH`. */
const LOCK_WORDS = 6;
const FENCE_WORDS = 7;

/** Never an argument. */
export function commandName(argv: readonly string[]): string {
  const [program = '', option, script] = argv;
  if (program === 'flock') return commandName(argv.slice(LOCK_WORDS));
  if (program !== 'sh' || option !== '-c') return program;
  return script === hostScripts.FENCED ? commandName(argv.slice(FENCE_WORDS)) : (NAMES.get(script) ?? program);
}
