/**
 * The timeline as a picture. What it shows is also in the tables of the page; its text alternative says the whole.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { clock, duration, when } from '../text/times.js';
import { count } from '../text/words.js';
import { html, type Content, type Html } from './html.js';
import { scaleOf, timelineOf, type Lane, type Mark, type Scale, type Span, type Timeline } from './timeline.js';

const WIDTH = 960;
const LABELS = 128;
const RIGHT = 12;
const LANE = 26;
const BAR = 16;
const TOP = 8;
const AXIS = 30;
/** Below this a span could not be seen. */
const LEAST = 1.5;
/** A run shorter than this has several moments in one minute. */
const SHORT_MS = 600_000;
/** Of one character of the axis at its font size. */
const CHARACTER = 6.4;

export function timelineSvg(status: RunStatus): Html {
  const timeline = timelineOf(status);
  const scale = scaleOf(timeline, WIDTH - LABELS - RIGHT);
  const x = (moment: number): number => round(LABELS + scale.at(moment));
  const height = TOP + timeline.lanes.length * LANE + AXIS;
  const bottom = TOP + timeline.lanes.length * LANE;
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="timeline-title timeline-text">
    <title id="timeline-title">Timeline of the run</title>
    <desc id="timeline-text">${description(status, timeline, scale)}</desc>
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="hatch" width="2.5" height="6" />
      </pattern>
    </defs>
    ${ticks(timeline).map(
      ({ at, text, anchor }) =>
        html`<line class="tick" x1="${x(at)}" x2="${x(at)}" y1="${TOP}" y2="${bottom + 4}" /><text
            class="axis"
            x="${x(at)}"
            y="${bottom + 18}"
            text-anchor="${anchor}"
            >${text}</text
          > `,
    )}${timeline.lanes.map((lane, i) => drawnLane(lane, TOP + i * LANE, x, scale))}
  </svg>`;

  /** Moments that people look for, as long as there is room between their texts. */
  function ticks({ from, to, lanes }: Timeline): { at: number; text: string; anchor: string }[] {
    const spans = lanes.flatMap((lane) => lane.spans);
    const ends = spans.filter(({ kind }) => kind === 'wait' || kind === 'away').flatMap((span) => [span.from, span.to]);
    const begins = spans.filter(({ kind }) => kind === 'phase').map((span) => span.from);
    const taken: { at: number; text: string; anchor: string; left: number; right: number }[] = [];
    for (const at of [from, to, ...ends, ...begins]) {
      const iso = new Date(at).toISOString();
      const text = to - from < SHORT_MS ? clock(iso) : when(iso, status.startedAt);
      const width = text.length * CHARACTER;
      const anchor = at === from ? 'start' : at === to ? 'end' : 'middle';
      const left = x(at) - { start: 0, end: 1, middle: 0.5 }[anchor] * width;
      const free = taken.every((other) => left > other.right + CHARACTER || left + width < other.left - CHARACTER);
      if (free) taken.push({ at, text, anchor, left, right: left + width });
    }
    return taken;
  }
}

type ToX = (moment: number) => number;

function drawnLane(lane: Lane, top: number, x: ToX, { shortened }: Scale): Html {
  const middle = top + LANE / 2;
  return html`<text class="lane" x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${lane.name}</text>
    ${lane.spans.map((span) => drawnSpan(span, middle, x, shortened))}${lane.marks.map((mark) => drawnMark(mark, middle, x))}`;
}

function drawnSpan(span: Span, middle: number, x: ToX, shortened: readonly Span[]): Html {
  const left = x(span.from);
  const width = round(Math.max(LEAST, x(span.to) - left));
  const long = duration((span.to - span.from) / 1_000);
  const inset = span.kind === 'phase' ? 0 : 3;
  const rect = html`<rect
    class="${span.kind} ${span.state}"
    x="${left}"
    y="${middle - BAR / 2 + inset}"
    width="${width}"
    height="${BAR - 2 * inset}"
    rx="2"
    ><title>${span.text} (${long})</title></rect
  > `;
  if (!shortened.includes(span)) return rect;
  return html`${rect}<text class="axis" x="${round(left + width / 2)}" y="${middle + 4}" text-anchor="middle"
      >${long}</text
    > `;
}

function drawnMark({ kind, at, text }: Mark, middle: number, x: ToX): Html {
  const here = x(at);
  const title = html`<title>${text}</title>`;
  if (kind === 'rung' || kind === 'left')
    return html`<line class="mark ${kind}" x1="${here}" x2="${here}" y1="${middle - BAR / 2}" y2="${middle + BAR / 2}"
      >${title}</line
    > `;
  const [up, side] = [middle - 7, 6];
  return html`<path class="mark ${kind}" d="M${here} ${up}l${side} 7l-${side} 7l-${side} -7z">${title}</path> `;
}

function description(status: RunStatus, { from, to, lanes }: Timeline, { shortened }: Scale): Content {
  const spans = lanes.flatMap((lane) => lane.spans);
  const of = (kind: Span['kind']): number => spans.filter((span) => span.kind === kind).length;
  const waits = of('wait');
  const { forwardReboots, undoReboots, powerCycles } = status.counts;
  return [
    `From ${when(new Date(from).toISOString(), '')} to ${when(new Date(to).toISOString(), status.startedAt)}, ${duration((to - from) / 1_000)}: `,
    `${count(of('phase'), 'phase')} with ${count(of('step'), 'step')}; `,
    `${count(waits, 'question')} to people, ${duration(status.waitedSeconds)} of waiting; `,
    `${count(forwardReboots, 'forward reboot')}, ${count(undoReboots, 'undo reboot')}, ${count(powerCycles, 'power cycle')}. `,
    shortened.length === 0 ? '' : `${count(shortened.length, 'long wait is', 'long waits are')} drawn shorter. `,
    'The tables below say the same in words.',
  ];
}

const round = (x: number): number => Math.round(x * 10) / 10;
