/**
 * The view of a run: who is at work on it, its phases, and what is asked.
 * @module
 */
import type { RebootPlan } from '../boot/plan.js';
import type { HostOutput } from '../run/host-output.js';
import type { RunStatus } from '../run/messages.js';
import { hasEnded, outcomeOf, type RunView } from '../run/view.js';
import { renderGate, renderQuestion } from './gate.js';
import { renderHeader } from './header.js';
import { code, cut, hang } from './layout.js';
import { renderPhases } from './phase-lines.js';
import { renderSummary } from './summary.js';

/** Of the host's output; the phases and what is asked must stay in sight on a low terminal. */
const SHOWN_LINES = 5;

export interface WatchOptions {
  readonly width: number;
  /** Whether the keys of the live view are named. */
  readonly keys: boolean;
}

export function renderWatch(view: RunView, { width, keys }: WatchOptions): string[] {
  const { status } = view;
  const lines = renderHeader(view, width);
  if (status !== null) lines.push(...renderPhases(status, hasEnded(view) ? null : view.now, width));
  if (status === null || isFinal(view)) return lines;
  if (view.output !== null) lines.push('', ...hostOutput(view.output, width));
  if (status.question !== null) lines.push('', ...openQuestion(status, view.now, width, keys));
  if (status.lastRefusal !== null) lines.push(...refusal(status.lastRefusal, width));
  return lines;
}

/** Of a command that runs on the host, as it came: a line that is too long is cut, so that the newest stay in sight. */
function hostOutput({ command, lines }: HostOutput, width: number): string[] {
  const said = lines.slice(-SHOWN_LINES).map((line) => cut(`     | ${line}`, width));
  return [cut(`   host     ${command} says`, width), ...said];
}

/** Nothing will change by itself: the run is over, or it waits for hands. Then the summary says what is left to say. */
export function isFinal(view: RunView): boolean {
  return hasEnded(view) || outcomeOf(view) === 'needs-hands';
}

/** View and summary together, for one look. */
export function renderStatus(view: RunView, width: number): string[] {
  const lines = renderWatch(view, { width, keys: false });
  return isFinal(view) ? [...lines, '', ...renderSummary(view, width)] : lines;
}

export function openQuestion(status: RunStatus, now: string | null, width: number, keys: boolean): string[] {
  const { question, plan, server, serial, address } = status;
  if (question === null) return [];
  const options = { server: { name: server, serial, address }, width, now, keys };
  return question.kind === 'reboot' && plan !== null
    ? renderGate(plan, question, options)
    : renderQuestion(question, options);
}

/** The question with everything that its plan changes: what is read before a decision. */
export function questionInFull(status: RunStatus, now: string, width: number): string[] {
  const { question, plan } = status;
  if (question === null) return [];
  const changes = question.kind === 'reboot' && plan !== null ? ['', ...planInFull(plan, width)] : [];
  return [...openQuestion(status, now, width, false), ...changes];
}

/** The diff of every file, and hashes of files and images. */
export function planInFull(plan: RebootPlan, width: number): string[] {
  const hashes = [...plan.files, ...plan.images].map(({ path, sha256 }) => `${sha256.slice(0, 16)}  ${path}`);
  return [...code(plan.diff.trimEnd(), '  ', width), '', ...hashes.flatMap((line) => code(line, '  ', width))];
}

/** A signal has no caller to tell: this is the only place where its refusal is seen. */
export function refusal(text: string, width: number): string[] {
  return hang('   refused  ', text, width);
}
