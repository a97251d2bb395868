import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { inventoryJsonSchema, type JsonSchema } from './json-schema.js';
import { withReference } from './reference.js';

const SCHEMA = fileURLToPath(new URL('../../inventory.schema.json', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/inventory.md', import.meta.url));

/** `npm run schema` is this test with `-u`, which writes the files instead of comparing them. */
describe('files generated from the schema', () => {
  it('inventory.schema.json is as the schema says', async () => {
    await expect(await formatted(SCHEMA, JSON.stringify(inventoryJsonSchema()))).toMatchFileSnapshot(SCHEMA);
  });

  it('the reference in docs/inventory.md is as the schema says', async () => {
    const document = withReference(readFileSync(DOCS, 'utf8'), inventoryJsonSchema());
    await expect(await formatted(DOCS, document)).toMatchFileSnapshot(DOCS);
  });

  it('every field has a description', () => {
    expect(undescribed('inventory', inventoryJsonSchema())).toEqual([]);
  });
});

async function formatted(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}

function undescribed(path: string, schema: JsonSchema): readonly string[] {
  const children = [
    ...Object.entries(schema.properties ?? {}),
    ...(typeof schema.additionalProperties === 'object' ? [['NAME', schema.additionalProperties] as const] : []),
    ...(schema.items === undefined ? [] : [['items', schema.items] as const]),
  ];
  return [
    ...(schema.description === undefined ? [path] : []),
    ...children.flatMap(([key, child]) => undescribed(`${path}.${key}`, child)),
  ];
}
