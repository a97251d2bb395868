import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ATTRIBUTES } from './attributes.js';

const DOCS = readFileSync(fileURLToPath(new URL('../../docs/monitoring.md', import.meta.url)), 'utf8');

it('the table of attributes in the documentation has these, in this order, with what they mean', () => {
  const [, section = ''] = DOCS.split('\n## Traces\n');
  const rows = [...section.matchAll(/^\| `([a-z_]+(?:\.[a-z_]+)+)` +\| (.*?) *\|$/gm)].map(([, name, meaning]) => [
    name,
    meaning,
  ]);
  expect(rows).toEqual(Object.entries(ATTRIBUTES));
});
