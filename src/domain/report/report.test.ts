import { createHash } from 'node:crypto';
import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { golden } from '../../../test/golden/golden.js';
import { at, atGate, endings, view, waiting } from '../../../test/golden/runs.js';
import { undoneRun, wholeRun } from '../../../test/golden/whole-run.js';
import type { RunStatus } from '../run/messages.js';
import { OUTCOMES } from '../run/outcomes.js';
import type { RunView } from '../run/view.js';
import { html, lines } from './html.js';
import { renderReport } from './page.js';
import { reportOf } from './report.js';
import { STYLE, STYLE_SHA256 } from './style.js';
import { scaleOf, timelineOf } from './timeline.js';

const page = (seen: RunView): string => renderReport(reportOf(seen));
const ended = (status: RunStatus, workflow: RunView['workflow']): RunView => view(status, at('23:00:00'), { workflow });

const VIEWS: Readonly<Record<string, RunView>> = {
  ...Object.fromEntries(Object.entries(endings).map(([name, [status, workflow]]) => [name, ended(status, workflow)])),
  provisioned: ended(wholeRun, 'completed'),
  restored: ended(undoneRun, 'failed'),
  gate: view(atGate, at('14:32:07')),
  away: view(waiting, at('14:48:44')),
  terminated: view(null, at('16:10:00'), { workflow: 'terminated' }),
};

describe('the page', () => {
  it.each(Object.entries(VIEWS))('is as in its golden file: %s', (name, seen) => {
    // The style would be most of every file.
    const text = page(seen).replace(STYLE, '');
    expect(text).toBe(golden(`report-${name}`, text));
  });

  it('has a golden file for every outcome', () => {
    expect(Object.keys(VIEWS)).toEqual(expect.arrayContaining(Object.keys(OUTCOMES)));
  });

  it.each(Object.entries(VIEWS))('opens each element that it closes, and none twice by its id: %s', (_, seen) => {
    const text = page(seen);
    expect(unclosed(text)).toEqual([]);
    const ids = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    const targets = [...text.matchAll(/ href="#([^"]*)"/g)].map(([, id]) => id);
    expect(targets.length).toBeGreaterThan(0);
    for (const id of [
      ...targets,
      ...[...text.matchAll(/ aria-labelledby="([^"]*)"/g)].flatMap(([, all = '']) => all.split(' ')),
    ])
      expect(ids).toContain(id);
  });

  it.each(Object.entries(VIEWS))('loads nothing, runs nothing, and may not: %s', (_, seen) => {
    const text = page(seen);
    expect(text).not.toMatch(/<script|<link|<img|<iframe|<object|@import|\son\w+=|\bsrc=|javascript:|style="/i);
    expect([...text.matchAll(/(?:href|url)[=(]"?([^#"][^")]*)/g)]).toEqual([]);
    expect(text).toContain(html`content="${`default-src 'none'; style-src 'sha256-${STYLE_SHA256}'; `}`.text);
  });

  it('allows its own style, by its hash', () => {
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page(VIEWS['refused']!)) ?? [];
    expect(style).not.toBe('');
    expect(STYLE_SHA256).toBe(createHash('sha256').update(style).digest('base64'));
  });

  it('holds every field of the run that people judge', () => {
    const text = page(VIEWS['provisioned']!);
    for (const said of [
      wholeRun.plan!.sha256,
      wholeRun.plan!.commandLine.next,
      ...wholeRun.plan!.files.flatMap(({ path, sha256 }) => [path, sha256]),
      ...wholeRun.phases.flatMap(({ steps }) => steps.map(({ name }) => name)),
      ...wholeRun.findings.map(({ text: finding }) => finding),
      'CHG-4711',
      'v1.35.3+k3s1',
      '3017',
    ])
      expect(text).toContain(html`${said}`.text);
  });
});

/** Elements that are open at the end, or closed without being open. */
function unclosed(text: string): readonly string[] {
  const VOID = new Set(['meta', 'line', 'path', 'rect']);
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, name = '', rest = ''] of text
    .replace(/<style>[^]*?<\/style>/, '')
    .matchAll(/<(\/?)([a-z]\w*)([^>]*)>/g)) {
    if (slash === '/') {
      if (open.pop() !== name) wrong.push(`</${name}>`);
    } else if (!rest.endsWith('/') && !(VOID.has(name) && name === 'meta')) open.push(name);
  }
  return [...wrong, ...open];
}

describe('the timeline', () => {
  const timeline = timelineOf(wholeRun);

  it('has a lane for each phase that began, for people and for the time away', () => {
    expect(timeline.lanes.map(({ name }) => name)).toEqual([
      '1 preflight',
      '2 preparation',
      '3 k3s',
      '4 gpu isolation',
      '5 cozystack',
      '6 kubevirt',
      '7 nested cluster',
      '8 acceptance',
      'people',
      'host away',
    ]);
    expect(
      timelineOf(undoneRun)
        .lanes.at(-1)
        ?.marks.map(({ kind }) => kind),
    ).toEqual(['rung', 'rung', 'power-cycle']);
  });

  it('waits from the question to its answer, whatever reminders come between', () => {
    const [wait] = timeline.lanes.find(({ name }) => name === 'people')!.spans;
    expect((wait!.to - wait!.from) / 1_000).toBe(wholeRun.waitedSeconds);
  });

  it('ends a step that was undone where it had ended, not where it was undone', () => {
    const hook = 'isolation.write-hook';
    const step = undoneRun.phases[3]!.steps.find(({ name }) => name === hook)!;
    const done = { at: step.startedAt.replace('.000Z', '.900Z'), phase: null, kind: 'step', text: `${hook} done: ok` };
    const lane = timelineOf({ ...undoneRun, events: [done, ...undoneRun.events] }).lanes[3]!;
    const span = lane.spans.find(({ text }) => text.startsWith(hook))!;
    expect(span.to - span.from).toBe(900);
  });

  it('draws a night at the gate short, never backwards, and everything inside the picture', () => {
    const { at: x, shortened } = scaleOf(timeline, 800);
    expect(shortened).toHaveLength(1);
    const moments = Array.from({ length: 1_000 }, (_, i) => timeline.from + ((timeline.to - timeline.from) * i) / 999);
    const drawn = moments.map(x);
    expect(drawn.every((value, i) => i === 0 || value >= drawn[i - 1]!)).toBe(true);
    expect(drawn[0]).toBeCloseTo(0);
    expect(drawn.at(-1)).toBeCloseTo(800);
    expect(x(shortened[0]!.to) - x(shortened[0]!.from)).toBeCloseTo(64);
  });

  it('has room for a run that has only just begun', () => {
    const text = page(view({ ...atGate, events: [], now: atGate.startedAt, phases: [] }, at('10:20:00')));
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('whatever hosts and people write', () => {
  it('is text in the page, and no element, attribute or entity of it', () => {
    assert(
      property(string({ unit: 'binary', maxLength: 200 }), (raw) => {
        const hostile = `"><script>alert(1)</script><!--'</title></pre></svg>&lt;${raw}`;
        const seen = ended(
          {
            ...undoneRun,
            serial: hostile,
            findings: [{ area: hostile, text: hostile }],
            failure: { ...undoneRun.failure!, message: hostile },
            instructions: [hostile],
            events: undoneRun.events.map((event) => ({ ...event, text: hostile })),
            devices: { ...undoneRun.devices!, problems: [hostile], evidence: hostile },
            plan: { ...undoneRun.plan!, diff: hostile, warnings: [hostile], stays: [hostile] },
            phases: undoneRun.phases.map((phase) => ({
              ...phase,
              summary: hostile,
              steps: phase.steps.map((step) => ({ ...step, summary: hostile, facts: { [hostile]: hostile } })),
            })),
          },
          'failed',
        );
        const text = page(seen);
        expect(text).not.toContain('<script');
        expect(text).not.toContain('<!--');
        expect(text.split('</title>')).toHaveLength(page(VIEWS['restored']!).split('</title>').length);
        expect(unclosed(text)).toEqual([]);
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 5 },
    );
  }, 120_000);

  it('keeps its lines where they matter', () => {
    expect(lines('a<b\n\u001b[31mc & d').text).toBe('a&lt;b\nc &amp; d');
    expect(html`<p>${'a\nb'}</p>`.text).toBe('<p>a b</p>');
  });
});

describe('the report as data', () => {
  it('is the view with its version, outcome and exit code', () => {
    const seen = VIEWS['restored']!;
    expect(reportOf(seen)).toEqual({ ...seen, reportVersion: 1, outcome: 'restored', exit: 3 });
  });

  it('says nothing where a run of an earlier version says nothing', () => {
    const { versions: _, baseline: __, ...older } = undoneRun;
    const report = reportOf(ended(older as RunStatus, 'failed'));
    expect(report.status).toMatchObject({ versions: null, baseline: null });
    expect(renderReport(report)).toContain('0000:87:00.0');
  });
});
