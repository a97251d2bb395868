/**
 * Options of the programs that npm starts.
 * @module
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** Bad input: the message is for the person at the terminal. */
export class BadOption extends Error {
  override readonly name = 'BadOption';
}

/** For `options` of `optionValues`. */
export const FLAG = { type: 'boolean', default: false } as const;

/** Throws BadOption. */
export function optionValues<const O extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: O,
): ReturnType<typeof parseArgs<{ options: O }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new BadOption(error instanceof Error ? error.message : String(error));
  }
}
