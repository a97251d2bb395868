/**
 * Fits text into a width. Every line that people see is made here, so nothing is wider than asked and nothing reaches a terminal
 * unfiltered.
 * @module
 */
import { columns, columnsOfCharacter, plain } from './plain.js';

/** Narrower than this, text would stand in a column of single letters. */
const NARROWEST_COLUMNS = 16;

/** Words in lines of at most `width` columns; a word that is longer is cut into pieces. Never empty. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of plain(text)
    .split(' ')
    .filter((w) => w !== '')) {
    for (const [i, piece] of pieces(word, width).entries()) {
      const joined = line === '' ? piece : `${line} ${piece}`;
      if (i === 0 && columns(joined) <= width) line = joined;
      else {
        if (line !== '') lines.push(line);
        line = piece;
      }
    }
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  if (columns(word) <= width) return [word];
  const found: string[] = [];
  let piece = '';
  let taken = 0;
  for (const character of word) {
    const wide = columnsOfCharacter(character);
    if (taken + wide > width && piece !== '') {
      found.push(piece);
      piece = '';
      taken = 0;
    }
    piece += character;
    taken += wide;
  }
  return [...found, piece];
}

/** Text behind a prefix; further lines stand under the first one's text, behind `further`. */
export function hang(prefix: string, text: string, width: number, further = ' '.repeat(prefix.length)): string[] {
  const room = Math.max(NARROWEST_COLUMNS, width - columns(prefix));
  return wrap(text, room).map((line, i) => `${i === 0 ? prefix : further}${line}`.trimEnd());
}

/** Left and right on one line; the right part under the left one where there is no room for both. */
export function spread(left: string, right: string, width: number, indent = ''): string[] {
  const a = plain(left);
  const b = plain(right);
  const gap = width - columns(a) - columns(b);
  if (gap >= 2) return [`${a}${' '.repeat(gap)}${b}`];
  const start = columns(a) <= width ? [a] : hang('', a, width - indent.length, indent);
  return [...start, ...wrap(b, width - indent.length).map((line) => flushRight(line, width))];
}

export function flushRight(line: string, width: number): string {
  return `${' '.repeat(Math.max(0, width - columns(line)))}${line}`;
}

/** Items with `gap` between them, broken only between items (an item that is too long is wrapped). */
export function packed(items: readonly string[], prefix: string, width: number, gap = '   '): string[] {
  const further = ' '.repeat(prefix.length);
  const lines: string[] = [];
  let line = '';
  for (const item of items.map(plain)) {
    const joined = line === '' ? item : `${line}${gap}${item}`;
    if (columns(prefix) + columns(joined) <= width) line = joined;
    else {
      if (line !== '') lines.push(line);
      line = item;
    }
  }
  lines.push(line);
  return lines.flatMap((text, i) => {
    const start = i === 0 ? prefix : further;
    return columns(start) + columns(text) <= width ? [`${start}${text}`.trimEnd()] : hang(start, text, width, further);
  });
}

/** A name and what it says: `  cause     87:00.0 stayed on nvidia`. A longer name is cut. */
export function row(label: string, text: string, width: number, labelWidth = 10): string[] {
  const name = cut(label, labelWidth - 1);
  return hang(`  ${name}${' '.repeat(labelWidth - columns(name))}`, text, width);
}

/** Cut to a width, the loss marked. */
export function cut(text: string, width: number): string {
  const line = plain(text);
  if (columns(line) <= width) return line;
  return width < 4 ? (pieces(line, width)[0] ?? '') : `${pieces(line, width - 3)[0] ?? ''}...`;
}

/** Code as it is: only cut into lines, no word moved. */
export function code(text: string, prefix: string, width: number): string[] {
  const room = Math.max(NARROWEST_COLUMNS, width - prefix.length);
  return text
    .split('\n')
    .flatMap((line) => pieces(plain(line.replaceAll('\t', '        ')), room))
    .map((line) => `${prefix}${line}`.trimEnd());
}
