/**
 * What was kept outside of the history, with its text where it could be read.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { code, html, output, table, type Content } from './html.js';

export type ArtifactText = { readonly text: string } | { readonly problem: string };

/** The end of each: a page of many megabytes opens slowly and prints for ever. The whole is in the store. */
const SHOWN_CHARACTERS = 200_000;

export function artifacts({ artifacts: all }: RunStatus, texts: ReadonlyMap<string, ArtifactText>): Content {
  if (all.length === 0) return html`<p>Nothing was kept.</p>`;
  return [
    table({
      caption: 'Kept outside of the history, by its content',
      head: ['name', 'bytes', 'SHA-256', 'in', 'note'],
      rows: all.map(({ name, bytes, sha256, store, problem }) => [
        name,
        bytes,
        code(sha256),
        store ?? 'NOT KEPT',
        problem ?? noteOf(texts.get(sha256)),
      ]),
    }),
    all.map(({ name, sha256 }) => {
      const found = texts.get(sha256);
      return found !== undefined && 'text' in found ? output(name, shown(found.text)) : null;
    }),
  ];
}

function noteOf(found: ArtifactText | undefined): string {
  if (found === undefined) return 'not read for this page';
  return 'problem' in found ? `not readable from where this page was made: ${found.problem}` : 'below';
}

function shown(text: string): string {
  if (text.length <= SHOWN_CHARACTERS) return text;
  return `… the end of ${text.length} characters\n${text.slice(-SHOWN_CHARACTERS)}`;
}
