/**
 * The one place where an argument vector becomes text for the remote shell.
 * @module
 */

/** Characters that no POSIX shell gives a meaning to, wherever they stand in a word. `=` and `~` are not among them. */
const PLAIN_WORD = /^[A-Za-z0-9_/.,:@%+-]+$/;

/** Commands are parsed by us, so they must speak the same language on every host. sudo keeps LC_ALL. */
const LOCALE = 'LC_ALL=C.UTF-8';

/**
 * A word that any POSIX shell reads back as exactly `text`.
 * @throws RangeError for a NUL byte: an argument cannot hold one, the kernel would cut it there.
 */
export function quoteWord(text: string): string {
  if (text.includes('\0')) throw new RangeError('an argument of a command contains a NUL byte');
  return PLAIN_WORD.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * The line that runs `argv` in the login shell of the host, as root through sudo when asked.
 * The assignment in front also keeps the command word from being read as a keyword such as `if`.
 */
export function commandLine(argv: readonly string[], { sudo }: { readonly sudo: boolean }): string {
  if (argv.length === 0 || argv[0] === '') throw new RangeError('an argument vector needs a command');
  return [LOCALE, ...(sudo ? ['sudo', '-n', '--'] : []), ...argv.map(quoteWord)].join(' ');
}
