/**
 * A list that comes in pages.
 * @module
 */
import { z } from 'zod';
import { isExpired } from './refusal.js';

const PAGE = z.looseObject({
  metadata: z.looseObject({ continue: z.string().default('') }).default({ continue: '' }),
  // Go writes an empty list as null.
  items: z
    .array(z.looseObject({}))
    .nullable()
    .transform((items) => items ?? []),
});
type Items = z.infer<typeof PAGE>['items'];

/** Pages are good for minutes; a list that is too old twice in a row is for a later attempt of the step. */
const TRIES = 3;

/** All pages of one list are of one moment. When the API has forgotten that moment (410), only a new list is complete. */
export async function allPages(read: (token?: string) => Promise<unknown>): Promise<Items> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const all: Items = [];
      for (let token: string | undefined; token !== '';) {
        const { items, metadata } = PAGE.parse(await read(token));
        all.push(...items);
        token = metadata.continue;
      }
      return all;
    } catch (error) {
      if (!isExpired(error) || attempt === TRIES) throw error;
    }
  }
}
