/**
 * When what happened: lanes of spans and marks, from the events of a run. Moments are milliseconds.
 * @module
 */
import type { PhaseStatus, RunEvent, RunStatus, StepStatus } from '../run/messages.js';
import { phaseOf } from '../run/phases.js';

export interface Span {
  readonly kind: 'phase' | 'step' | 'wait' | 'away';
  /** Of the phase or step; empty for the others. */
  readonly state: string;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export interface Mark {
  readonly kind: 'decision' | 'left' | 'rung' | 'power-cycle';
  readonly at: number;
  readonly text: string;
}

export interface Lane {
  readonly name: string;
  readonly spans: readonly Span[];
  readonly marks: readonly Mark[];
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  /** Only those in which something happened. */
  readonly lanes: readonly Lane[];
}

export function timelineOf(status: RunStatus): Timeline {
  const from = Date.parse(status.startedAt);
  const to = Math.max(from, Date.parse(status.endedAt ?? status.now));
  const { events } = status;
  const lanes = [
    ...status.phases.map((phase) => phaseLane(phase, events, to)),
    { name: 'people', spans: waits(events, to), marks: marks(events, 'decision') },
    { name: 'host away', spans: reboots(events, to), marks: marks(events, 'left') },
    { name: 'ladder', spans: [], marks: rungs(events) },
  ];
  return { from, to, lanes: lanes.filter((lane) => lane.spans.length + lane.marks.length > 0) };
}

function phaseLane(phase: PhaseStatus, events: readonly RunEvent[], end: number): Lane {
  const { number, title } = phaseOf(phase.name);
  const name = `${number} ${title}`;
  if (phase.startedAt === null) return { name, spans: [], marks: [] };
  const { state, summary } = phase;
  const whole: Span = { kind: 'phase', state, text: `${title} ${state}: ${summary}`, ...extent(phase, end) };
  return { name, spans: [whole, ...phase.steps.map((step) => stepSpan(step, events, end))], marks: [] };
}

function stepSpan(step: StepStatus, events: readonly RunEvent[], end: number): Span {
  const { name, state, summary } = step;
  const { from, to } = extent(step, end);
  // The seconds of a step that was undone last until the undo.
  const first = events.find(
    ({ kind, at, text }) => kind === 'step' && text.startsWith(`${name} `) && Date.parse(at) >= from,
  );
  const until = first === undefined ? to : Math.min(to, Date.parse(first.at));
  return { kind: 'step', state, from, to: until, text: `${name} ${state}: ${summary}` };
}

function extent(part: Pick<PhaseStatus, 'startedAt' | 'seconds'>, end: number): { from: number; to: number } {
  const from = Date.parse(part.startedAt ?? '');
  return { from, to: part.seconds === null ? Math.max(from, end) : from + part.seconds * 1_000 };
}

/** What is said while a question stays open. */
const WHILE_OPEN: ReadonlySet<string> = new Set(['refusal', 'reminder']);

/** From each question to what ended it: an answer, its expiry, or that it was void. */
function waits(events: readonly RunEvent[], end: number): readonly Span[] {
  return spansFrom(events, 'gate', ({ kind }) => !WHILE_OPEN.has(kind), 'wait', end);
}

/** From the request to the boot that answered. */
function reboots(events: readonly RunEvent[], end: number): readonly Span[] {
  return spansFrom(events, 'reboot', ({ kind }) => kind === 'back' || kind === 'reboot', 'away', end);
}

function spansFrom(
  events: readonly RunEvent[],
  begins: string,
  ends: (event: RunEvent) => boolean,
  kind: 'wait' | 'away',
  end: number,
): readonly Span[] {
  return events.flatMap((event, i) => {
    if (event.kind !== begins) return [];
    const last = events.slice(i + 1).find(ends);
    const to = last === undefined ? end : Date.parse(last.at);
    const text = last === undefined ? event.text : `${event.text}; then: ${last.text}`;
    return [{ kind, state: '', from: Date.parse(event.at), to, text }];
  });
}

function marks(events: readonly RunEvent[], kind: 'decision' | 'left'): readonly Mark[] {
  return events.flatMap((event) => (event.kind === kind ? [{ kind, at: Date.parse(event.at), text: event.text }] : []));
}

/** As the ladder says that the power was cycled, or may have been. */
const POWER_CYCLE = /^bmc\.power-cycle(?:: | counts as done)/;

function rungs(events: readonly RunEvent[]): readonly Mark[] {
  return events.flatMap(({ kind, at, text }) =>
    kind === 'rung'
      ? [{ kind: POWER_CYCLE.test(text) ? 'power-cycle' : 'rung', at: Date.parse(at), text } as const]
      : [],
  );
}

/** Where a moment is drawn. */
export interface Scale {
  readonly at: (moment: number) => number;
  /** Waits that are drawn shorter than they were. */
  readonly shortened: readonly Span[];
}

/** A wait that is longer than this share of all the rest would leave no room for it. */
const LONG_WAIT = 0.25;
/** Of the width, for each wait that is shortened. */
const SHORT_WIDTH = 0.08;

/** Even, except that long waits for people are drawn short: a night would leave nothing to see of the work. */
export function scaleOf({ from, to, lanes }: Timeline, width: number): Scale {
  const all = lanes.flatMap(({ spans }) => spans).filter(({ kind, from: a, to: b }) => kind === 'wait' && b > a);
  const work = to - from - sum(all.map((span) => span.to - span.from));
  const shortened = all.filter((span) => span.to - span.from > work * LONG_WAIT);
  const waited = sum(shortened.map((span) => span.to - span.from));
  const room = Math.max(0.2, 1 - shortened.length * SHORT_WIDTH) * width;
  const perWait = shortened.length === 0 ? 0 : (width - room) / shortened.length;
  const perMs = room / Math.max(1, to - from - waited);
  const at = (moment: number): number => {
    const here = Math.min(Math.max(moment, from), to);
    let x = (here - from) * perMs;
    for (const span of shortened) {
      const passed = Math.min(Math.max(here - span.from, 0), span.to - span.from);
      x += (passed / (span.to - span.from)) * perWait - passed * perMs;
    }
    return x;
  };
  return { at, shortened };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
