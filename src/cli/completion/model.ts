/**
 * What can be completed, read from the commander program: a new command or option is completed without a line here.
 * @module
 */
import type { Command, Option } from 'commander';
import { PHASE_NAMES } from '../../domain/run/phases.js';
import { everyCommand, pathOf } from '../every-command.js';

/** What stands behind an option, or as argument. */
export type Value =
  | { readonly kind: 'server' }
  | { readonly kind: 'file' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** Nobody knows but the person who types. */
  | { readonly kind: 'text' };

export interface CompletedWord {
  readonly word: string;
  readonly about: string;
}

export interface CompletedOption extends CompletedWord {
  /** null where nothing follows. */
  readonly value: Value | null;
}

export interface CompletedCommand {
  /** `gpu-provision inventory check` */
  readonly path: string;
  readonly commands: readonly CompletedWord[];
  readonly options: readonly CompletedOption[];
  /** null without one. */
  readonly argument: Value | null;
}

/** By the names that options and arguments have everywhere. */
const VALUES: Readonly<Record<string, Value>> = {
  server: { kind: 'server' },
  confirm: { kind: 'server' },
  file: { kind: 'file' },
  inventory: { kind: 'file' },
  'known-hosts': { kind: 'file' },
  phases: { kind: 'words', words: PHASE_NAMES },
};

export function completed(programs: readonly Command[]): readonly CompletedCommand[] {
  return programs.flatMap((program) =>
    everyCommand(program).map((command): CompletedCommand => {
      const [argument] = command.registeredArguments;
      return {
        path: pathOf(command),
        commands: command.commands.map((below) => ({ word: below.name(), about: below.description() })),
        options: [...command.options.map(completedOption), { word: '--help', about: 'what there is', value: null }],
        argument: argument === undefined ? null : valueOf(argument.name(), argument.argChoices),
      };
    }),
  );
}

function completedOption(option: Option): CompletedOption {
  const takes = option.required || option.optional;
  return {
    word: option.long ?? option.flags,
    about: option.description,
    value: takes ? valueOf(option.name(), option.argChoices) : null,
  };
}

function valueOf(name: string, choices: readonly string[] | undefined): Value {
  return choices === undefined ? (VALUES[name] ?? { kind: 'text' }) : { kind: 'words', words: choices };
}
