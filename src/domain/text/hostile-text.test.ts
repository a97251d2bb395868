import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WIDTHS } from '../../../test/golden/golden.js';
import { preview } from '../../../test/golden/preview.js';
import {
  approval,
  at,
  atGate,
  endings,
  fellBack,
  installing,
  noWorker,
  output,
  view,
  waiting,
} from '../../../test/golden/runs.js';
import type { PlanPreview } from '../preflight.js';
import type { Receipt } from '../run/questions.js';
import type { RunView } from '../run/view.js';
import { currentDetails } from './current-details.js';
import { renderDryRun } from './dry-run.js';
import { eventJson, eventLine } from './event-line.js';
import { columns, plain, plainJson, plainLines } from './plain.js';
import { renderReceipt, renderRefusal } from './receipts.js';
import { renderSummary } from './summary.js';
import { renderStatus, renderWatch } from './watch.js';

/** What a terminal, a browser or an eye would act on. */
const HOSTILE: Readonly<Record<string, string>> = {
  'clears the screen': '\u001b[2J\u001b[H',
  'opens a title that nothing ends': '\u001b]0;',
  'opens a sequence that nothing ends': '\u001b[',
  'opens a string that nothing ends': '\u001bP',
  'is a link': '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007',
  'is a control of 8 bits': '\u009b2J\u009d0;x\u009c',
  'goes back over the line': '\r\b\b\b\u007f',
  'makes lines': 'a\nb\r\nc\vd\fe\u0085f\u2028g\u2029h',
  'turns the direction': '\u202eabc\u2066\u200f\u061c',
  'takes no room': '\u200b\u2060\ufeff\u00ad\u034f\u180e\u{e0041}\ufe0f',
  'looks like nothing': '\u115f\u3164\uffa0\u2800',
  'is half a character': '\ud800x\udc00',
  'covers other lines': `o${'\u0308'.repeat(500)}`,
  'is Markdown': '```\n![x](https://evil.example/x.png) [y](javascript:z) <img src=x onerror=z>\n# h\n```',
};

const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]|\p{M}{5}/u;

/** Words of ours that a renderer chooses by, moments, and names that the inventory has checked: no host says these. */
const OURS = new Set(
  ['name', 'state', 'kind', 'type', 'phase', 'rung', 'choice', 'purpose', 'strategy', 'workflow', 'outcome'].concat(
    ['severity', 'sign', 'now', 'at', 'since', 'startedAt', 'endedAt', 'openedAt', 'expiresAt', 'cordonedAt', 'seenAt'],
    ['requestedAt', 'leftAt', 'statusAt', 'id', 'server', 'site', 'cluster', 'queue'],
  ),
);

/** The value with every other text in it changed. */
function spoilt<T>(value: T, change: (text: string) => string, key?: string): T;
function spoilt(value: unknown, change: (text: string) => string, key = ''): unknown {
  if (typeof value === 'string') return OURS.has(key) ? value : change(value);
  if (Array.isArray(value)) return value.map((item) => spoilt(item, change, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, spoilt(field, change, name)]));
}

const VIEWS: Readonly<Record<string, RunView>> = {
  'at the gate': view(atGate, at('14:32:07')),
  'waiting for a boot': view(waiting, at('14:48:44')),
  'fallen back': view(fellBack, at('15:12:00')),
  'while a command says something': view(installing, at('14:27:10'), { output }),
  'without a worker': view(waiting, at('14:58:13'), { contact: noWorker(at('14:55:01')) }),
  ...Object.fromEntries(
    Object.entries(endings).map(([name, [status, workflow]]) => [
      `ended ${name}`,
      view(status, at('16:40:00'), { workflow }),
    ]),
  ),
};

const RENDERERS: Readonly<Record<string, (seen: RunView, width: number) => readonly string[]>> = {
  watch: (seen, width) => renderWatch(seen, { width, keys: true }),
  status: renderStatus,
  summary: renderSummary,
  'current details': ({ status }) => (status === null ? [] : currentDetails(status).split('\n')),
  'event lines': ({ status }) => (status === null ? [] : status.events.map((event) => eventLine(event, status))),
  'events as JSON': ({ status }) => (status === null ? [] : status.events.map((event) => eventJson(event, status))),
};
const UNBOUNDED = new Set(['current details', 'event lines', 'events as JSON']);

const cases = Object.entries(HOSTILE).flatMap(([what, text]) =>
  Object.keys(RENDERERS).map((renderer) => [what, renderer, text] as const),
);

describe('a text of a host, in every field of a run, in every view', () => {
  it.each(cases)('that %s reaches nobody by %s', (_, renderer, text) => {
    for (const [moment, seen] of Object.entries(VIEWS)) {
      for (const width of WIDTHS) {
        for (const change of [(was: string) => was + text, (was: string) => text + was, () => text]) {
          const lines = RENDERERS[renderer]?.(spoilt(seen, change), width) ?? [];
          expect(
            lines.filter((line) => FORBIDDEN.test(line)),
            moment,
          ).toEqual([]);
          const most = UNBOUNDED.has(renderer) ? Infinity : width;
          expect(
            lines.filter((line) => columns(line) > most),
            moment,
          ).toEqual([]);
        }
      }
    }
  });

  it.each(Object.entries(HOSTILE))('that %s does not hide what stands beside it at the gate', (_, text) => {
    const all = renderWatch(
      spoilt(view(atGate, at('14:32:07')), (was) => was + text),
      { width: 140, keys: true },
    );
    const joined = all.join(' ').replaceAll(/[\s|]+/g, ' ');
    for (const ours of [
      'boots a NEW image once',
      'Default entry unchanged',
      '8 of 8',
      'the next boot is the one that runs now',
    ])
      expect(joined).toContain(ours);
  });

  it.each(Object.entries(HOSTILE))('that %s stays inside the code block of the current details', (_, text) => {
    for (const { status } of Object.values(VIEWS)) {
      if (status === null) continue;
      const details = currentDetails(spoilt(status, (was) => was + text));
      expect(details).toMatch(/^```\n[^`]*\n```$/);
    }
  });

  it.each(Object.entries(HOSTILE))('that %s is not in a dry run, a receipt or a refusal', (_, text) => {
    const plan: PlanPreview = spoilt(preview, (was) => was + text);
    const receipt: Receipt = spoilt(approval, (was) => was + text);
    const lines = WIDTHS.flatMap((width) => [
      ...renderDryRun(plan, { width, allDiffs: true }),
      ...renderReceipt('h100-01', receipt, at('14:40:03'), width),
      ...renderRefusal(text, width),
    ]);
    expect(lines.filter((line) => FORBIDDEN.test(line))).toEqual([]);
  });
});

describe('plain text', () => {
  it.each(Object.entries(HOSTILE))('has nothing left of what %s', (_, text) => {
    expect(plain(`a${text}b`)).not.toMatch(FORBIDDEN);
    expect(plainLines(`a${text}b`).replaceAll('\n', '')).not.toMatch(FORBIDDEN);
  });

  it('loses colours, and shows what else a console sends', () => {
    expect(plain('\u001b[1;31mfailed\u001b[0m at \u001b[3;4H 7')).toBe('failed at [3;4H 7');
  });

  it('as JSON is on one line, shows nothing hidden, and reads back as it was', () => {
    assert(
      property(string({ unit: 'binary' }), (text) => {
        const json = plainJson({ text: `${text}${Object.values(HOSTILE).join('')}` });
        expect(json).not.toMatch(FORBIDDEN);
        expect(JSON.parse(json)).toEqual({ text: `${text}${Object.values(HOSTILE).join('')}` });
      }),
    );
  });

  it('keeps what people write', () => {
    for (const text of ['Größe', '日本語', 'a  b', 'e\u0301', 'שלום', '✓ 8/8']) expect(plain(text)).toBe(text);
  });
});
