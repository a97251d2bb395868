/**
 * Text from hosts, BMCs and people, made safe to print: a console line can hold anything, also escape sequences that would
 * rewrite what an operator reads before an approval.
 * @module
 */

// oxlint-disable no-control-regex -- these are what must not reach a terminal.
/**
 * Colours of consoles, which say nothing. Of other sequences only the control characters go, and the rest is shown: a sequence that is
 * taken away as a whole would take our own words with it where a host leaves it open.
 */
const COLOURS = /\u001b\[[0-9;]*m/g;
const SPACES = /[\t\n\v\f\r\u0085\u00a0\u2028\u2029]+/g;
/**
 * Controls, what reverses the reading direction, what takes no room or is blank without being a space (fillers, variation selectors, tags),
 * and halves of characters.
 */
const INVISIBLE = /[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]/gu;
/** More marks on one letter than any script has: they would cover the lines above and below. */
const STACKED = /(\p{M}{4})\p{M}+/gu;
// oxlint-enable no-control-regex

/** One line without anything that a terminal would act on. */
export function plain(text: string): string {
  return text.replace(COLOURS, '').replace(SPACES, ' ').replace(INVISIBLE, '').replace(STACKED, '$1');
}

/** The same with its line ends, for messages of several lines. */
export function plainLines(text: string): string {
  return text.split(/\r?\n/).map(plain).join('\n');
}

const escapedUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
const escaped = (characters: string): string => characters.split('').map(escapedUnit).join('');

/** On one line, with what `plain` takes away written as JSON's escapes: it reads back as it was. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(INVISIBLE, escaped)
    .replace(STACKED, (run, first: string) => first + escaped(run.slice(first.length)));
}

/** For terminals and logs that know ASCII only. */
export function ascii(line: string): string {
  return line
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]/gu, '?');
}

/** East Asian and emoji characters take two columns. */
const WIDE =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const COMBINING = /\p{M}/u;

export function columnsOfCharacter(character: string): number {
  if (character >= ' ' && character <= '~') return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** How many columns of a terminal a line takes. */
export function columns(line: string): number {
  let sum = 0;
  for (const character of line) sum += columnsOfCharacter(character);
  return sum;
}
