/**
 * The eight phases, one line each; those that have nothing to say yet share a line.
 * @module
 */
import type { PhaseState, PhaseStatus, RunStatus } from '../run/messages.js';
import { phaseOf } from '../run/phases.js';
import { stepsOf } from '../run/steps.js';
import { bootHeadline, isAway, isUndoing } from './boot-state.js';
import { cut, packed } from './layout.js';
import { columns } from './plain.js';
import { renderRebootWait, renderUndo } from './reboot-wait.js';
import { secondsBetween, stopwatch } from './times.js';

const MARKS: Readonly<Record<PhaseState, string>> = {
  pending: '  .',
  skipped: '  -',
  running: ' >>',
  waiting: ' >>',
  done: ' ok',
  failed: ' !!',
  undone: ' !!',
};

/** Columns of ` ok 1 preflight       `. */
const TITLE_COLUMNS = 16;

/** `now` null: for text that stays on a page; no running times then. */
export function renderPhases(status: RunStatus, now: string | null, width: number): string[] {
  const lines: string[] = [];
  let rest: string[] = [];
  const flush = (): void => {
    if (rest.length > 0) lines.push(...packed(rest, '  ', width));
    rest = [];
  };
  for (const phase of status.phases) {
    const { number, title } = phaseOf(phase.name);
    if (phase.state === 'pending' || phase.state === 'skipped') {
      rest.push(`${MARKS[phase.state].trim()} ${number} ${title}`);
      continue;
    }
    flush();
    lines.push(phaseLine(phase, status, now, width), ...below(phase, status, now, width));
  }
  flush();
  return lines;
}

function phaseLine(phase: PhaseStatus, status: RunStatus, now: string | null, width: number): string {
  const { number, title } = phaseOf(phase.name);
  const isBoot = phase.name === 'gpu-isolation' && phase.state === 'running';
  const mark = isBoot && isUndoing(status) ? MARKS.failed : MARKS[phase.state];
  const head = `${mark} ${number} ${title.padEnd(TITLE_COLUMNS)}`;
  const time = timeOf(phase, now);
  const text = (isBoot ? bootHeadline(status, now) : null) ?? saying(phase, status);
  const room = width - columns(head) - (time === '' ? 0 : columns(time) + 2);
  const left = `${head}${cut(text, room)}`;
  return time === '' ? left.trimEnd() : `${left}${' '.repeat(width - columns(left) - columns(time))}${time}`;
}

function timeOf(phase: PhaseStatus, now: string | null): string {
  if (phase.seconds !== null) return stopwatch(phase.seconds);
  return phase.startedAt === null || now === null ? '' : stopwatch(secondsBetween(phase.startedAt, now));
}

/** While steps run: which of how many. */
function saying(phase: PhaseStatus, { acceptance }: RunStatus): string {
  const step = phase.steps.findLast((s) => s.state === 'running');
  if (phase.state !== 'running' || step === undefined) return phase.summary;
  const steps = stepsOf(phase.name, acceptance);
  const position = steps.findIndex((s) => s.name === step.name);
  return position < 0 ? step.summary : `${position + 1}/${steps.length} ${step.summary}`;
}

function below(phase: PhaseStatus, status: RunStatus, now: string | null, width: number): string[] {
  if (phase.name !== 'gpu-isolation' || phase.state !== 'running') return [];
  if (isAway(status)) return renderRebootWait(status, now, width);
  return isUndoing(status) ? renderUndo(status, width) : [];
}
