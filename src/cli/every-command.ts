import type { Command } from 'commander';

/** A program and all commands below it, each before its own. */
export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** `gpu-provision inventory check` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Does something by itself, rather than holding others. */
export const isLeaf = (command: Command): boolean => command.commands.length === 0;
