/**
 * Text from hosts, BMCs and people, made safe to print: a console line can hold anything, also escape sequences that would
 * rewrite what an operator reads before an approval.
 * @module
 */

// oxlint-disable no-control-regex -- these are what must not reach a terminal.
/** CSI and OSC sequences with their parameters, so that nothing of them is left as text. */
const ESCAPES = /\u001b\[[0-9;:?<=>]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g;
const SPACES = /[\t\n\v\f\r\u0085\u00a0\u2028\u2029]+/g;
/** Controls, zero-width characters, and those that reverse the reading direction. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
// oxlint-enable no-control-regex

/** One line without anything that a terminal would act on. */
export function plain(text: string): string {
  return text.replace(ESCAPES, '').replace(SPACES, ' ').replace(INVISIBLE, '');
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
