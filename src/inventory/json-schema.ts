import * as z from 'zod';
import { inventorySchema } from './schema.js';

/** The part of JSON Schema that the inventory's schema uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: string | number;
  readonly const?: string | number;
  readonly enum?: readonly (string | number)[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** For editors: draft 7 is what yaml-language-server reads best. */
export function inventoryJsonSchema(): JsonSchema {
  const annotated = z.toJSONSchema(inventorySchema.meta({ title: 'Inventory of gpu-provision' }), {
    target: 'draft-7',
    io: 'input',
  });
  // Only what the file holds: zod adds functions for validators.
  const schema: JsonSchema = JSON.parse(JSON.stringify(annotated));
  return schema;
}
