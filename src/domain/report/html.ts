/**
 * HTML in which everything is escaped that is not HTML already: what a host, a BMC or a person wrote cannot become part of the page.
 * @module
 */
import { plain, plainLines } from '../text/plain.js';

/** Text that is HTML. Made here alone. */
export class Html {
  constructor(readonly text: string) {}
}

export type Content = Html | string | number | null | readonly Content[];

/** `html\`<p>${text}</p>\`` */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((string, i) => string + textOf(values[i] ?? null)).join(''));
}

function textOf(content: Content): string {
  if (content === null) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escaped(plain(String(content)));
}

/** Text of several lines, for `pre`. */
export function lines(text: string): Html {
  return new Html(escaped(plainLines(text)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

export interface Table {
  /** What the table is, for those who cannot see where it stands. */
  readonly caption: string;
  readonly head: readonly Content[];
  /** The first cell of a row names it. */
  readonly rows: readonly (readonly Content[])[];
}

/** Nothing where there are no rows. */
export function table({ caption, head, rows }: Table): Content {
  if (rows.length === 0) return null;
  return html`<div class="wide" role="group" tabindex="0" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name = '', ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Names and what they are; those without anything are left out. */
export function facts(of: readonly (readonly [name: string, value: Content])[]): Content {
  const known = of.filter(([, value]) => value !== null && value !== '');
  return html`<dl>
    ${known.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** Output as it came; nothing where it is empty. Scrolls on a screen, also by keyboard, and is complete on paper. */
export function output(name: string, text: string): Content {
  if (text.trim() === '') return null;
  return html`<figure>
    <figcaption>${name}</figcaption>
    <pre role="group" tabindex="0" aria-label="${name}">${lines(text)}</pre>
  </figure>`;
}

/** Nothing for null. */
export function code(text: string | null): Content {
  return text === null ? null : html`<code>${text}</code>`;
}

export function list(items: readonly Content[]): Content {
  return items.length === 0
    ? null
    : html`<ul>
        ${items.map((item) => html`<li>${item}</li>`)}
      </ul>`;
}

/** A word for a state, which is coloured too. `state` is one of ours. */
export function badge(state: string, text: Content = state): Html {
  return html`<span class="badge ${TONES[state] ?? 'plain'}">${text}</span>`;
}

type Tone = 'good' | 'bad' | 'busy' | 'plain';
const TONES: Readonly<Record<string, Tone>> = {
  done: 'good',
  ok: 'good',
  provisioned: 'good',
  approve: 'good',
  failed: 'bad',
  'not ok': 'bad',
  'needs-hands': 'bad',
  undone: 'busy',
  restored: 'busy',
  waiting: 'busy',
  running: 'busy',
  reject: 'busy',
  rejected: 'busy',
  expired: 'busy',
  incomplete: 'bad',
  refused: 'bad',
};
