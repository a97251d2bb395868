/**
 * Temporal's list of runs as people set it up: columns, and filters that are kept as saved views.
 * @module
 */
import { SEARCH_ATTRIBUTES } from '../../src/domain/run/messages.js';

/** Headings of the UI's table; a search attribute is its own. */
export const LIST_COLUMNS = [
  'Status',
  'Workflow ID',
  SEARCH_ATTRIBUTES.phase,
  SEARCH_ATTRIBUTES.gate,
  SEARCH_ATTRIBUTES.outcome,
  'Start',
] as const;

export interface RunFilter {
  readonly name: string;
  /** A list filter: docs.temporal.io/list-filter. */
  readonly query: string;
}

/** Rows of a Markdown table whose second cell is a filter. */
export function filtersOf(markdown: string): readonly RunFilter[] {
  return [...markdown.matchAll(/^\| (.+?) +\| `((?:Workflow|Execution|Provision)[^`]*)` +\|/gm)].map(
    ([, name = '', query = '']) => ({ name, query }),
  );
}
