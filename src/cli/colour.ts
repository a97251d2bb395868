/**
 * Colours lines that are laid out already, by what they say. A pass of its own, so that text and width never depend on it.
 * @module
 */
import { styleText } from 'node:util';
import type { Io } from './io.js';

type Style = Parameters<typeof styleText>[0];

/** First match wins. A group named `part` is coloured alone, else the line is. */
const STYLES: readonly (readonly [RegExp, Style])[] = [
  [/^(?<part> ok) \d /, 'green'],
  [/^(?<part> >>) \d /, 'yellow'],
  [/^ !! \d /, 'red'],
  [/^(?:\S+ {2}provision {2}.*)? {3}(?:NO WORKER|NO TEMPORAL|THE RUN DOES NOT ANSWER)/, 'red'],
  [/^\+- (?:GATE|QUESTION) /, 'bold'],
  [/^(?<part>GATE \S+) /, 'yellow'],
  [/^(?<part>\| WARNS)/, 'yellow'],
  [/^ {2}(?<part>BLOCK|FAIL) /, 'red'],
  [/^ {2}(?<part>warn) /, 'yellow'],
  [/^(?<part>PROVISIONED) /, 'green'],
  [/^(?<part>NEEDS HANDS|ENDED FROM OUTSIDE) /, 'red'],
  [/^(?<part>RESTORED|REJECTED|EXPIRED|INCOMPLETE|REFUSED|CANCELLED) /, 'yellow'],
  [/^(?<part>approved|resumed) {2}/, 'green'],
  [/^ {0,3}(?<part>refused) /, 'red'],
  [/^ {2}\+/, 'green'],
  [/^ {2}-(?!- )/, 'red'],
];

export function coloured(line: string): string {
  for (const [pattern, style] of STYLES) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const part = match.groups?.['part'];
    if (part === undefined) return styleText(style, line);
    const at = line.indexOf(part);
    return line.slice(0, at) + styleText(style, part) + line.slice(at + part.length);
  }
  return line;
}

/** Source: no-color.org. */
export function wantsColour(io: Io): boolean {
  return io.terminal !== null && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
}
