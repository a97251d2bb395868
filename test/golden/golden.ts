/**
 * Printed text as committed files. UPDATE_GOLDEN=1 rewrites them: read the diff before you commit it.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A small terminal, the default, and half of a wide screen. */
export const WIDTHS = [80, 100, 140] as const;

export type Render = (width: number) => readonly string[];

/** The text at every width, each below a ruler. */
export function atEveryWidth(render: Render): string {
  const blocks = WIDTHS.map((width) =>
    [`${'='.repeat(width - 4)} ${String(width).padStart(3)}`, ...render(width)].join('\n'),
  );
  return `${blocks.join('\n\n')}\n`;
}

/** What the golden file holds; with UPDATE_GOLDEN=1 it is made to hold `text` first. */
export function golden(name: string, text: string): string {
  const path = fileURLToPath(new URL(`${name}.golden.txt`, import.meta.url));
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  return readFileSync(path, 'utf8');
}
