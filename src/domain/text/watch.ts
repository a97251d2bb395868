/**
 * The whole live view of a run.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { hasEnded, outcomeOf, type RunView } from '../run/view.js';
import { renderGate, renderQuestion } from './gate.js';
import { renderHeader } from './header.js';
import { hang } from './layout.js';
import { renderPhases } from './phase-lines.js';
import { renderSummary } from './summary.js';

export interface WatchOptions {
  readonly width: number;
  /** Whether the keys of the live view are named. */
  readonly keys: boolean;
}

export function renderWatch(view: RunView, { width, keys }: WatchOptions): string[] {
  const { status } = view;
  const lines = renderHeader(view, width);
  if (status !== null) lines.push(...renderPhases(status, hasEnded(view) ? null : view.now, width));
  if (hasEnded(view) || outcomeOf(view) === 'needs-hands') return [...lines, '', ...renderSummary(view, width)];
  if (status === null) return lines;
  if (status.question !== null) lines.push('', ...openQuestion(status, view.now, width, keys));
  if (status.lastRefusal !== null) lines.push(...refusal(status.lastRefusal, width));
  return lines;
}

export function openQuestion(status: RunStatus, now: string | null, width: number, keys: boolean): string[] {
  const { question, plan, server, serial, address } = status;
  if (question === null) return [];
  const options = { server: { name: server, serial, address }, width, now, keys };
  return question.kind === 'reboot' && plan !== null
    ? renderGate(plan, question, options)
    : renderQuestion(question, options);
}

/** A signal has no caller to tell: this is the only place where its refusal is seen. */
export function refusal(text: string, width: number): string[] {
  return hang('   refused  ', text, width);
}
