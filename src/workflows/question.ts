/**
 * Asking a person: opens the question, reminds, and waits for an answer or the deadline. Waiting costs nothing.
 * @module
 */
import { condition } from '@temporalio/workflow';
import type { QuestionKind, Receipt } from '../domain/run/questions.js';
import { announce, OPENED } from './announce.js';
import { fail } from './failure.js';
import { now, type Run } from './run.js';

export interface Ask {
  /** Its id the first time; asked again in the same run it is `NAME#2`. */
  readonly name: string;
  readonly kind: QuestionKind;
  readonly text: string;
  readonly digest: string;
  /** null: waits without limit. */
  readonly expiresSeconds: number | null;
  readonly reminderSeconds: number;
  /** Called at each reminder; returning false ends the question as void. */
  readonly stillValid?: () => Promise<boolean>;
}

/** The accepted answer, or null when `stillValid` said no. Throws Expired. */
export async function ask(run: Run, question: Ask): Promise<Receipt | null> {
  const id = run.questionId(question.name);
  const openedMs = Date.now();
  const expiresMs = question.expiresSeconds === null ? null : openedMs + question.expiresSeconds * 1_000;
  run.openQuestion({
    id,
    kind: question.kind,
    text: question.text,
    digest: question.digest,
    openedAt: now(),
    expiresAt: expiresMs === null ? null : new Date(expiresMs).toISOString(),
    reminders: 0,
  });
  announce(run, OPENED[question.kind]);
  const answered = (): boolean => run.answer !== null;
  try {
    for (;;) {
      const left = expiresMs === null ? Number.POSITIVE_INFINITY : expiresMs - Date.now();
      if (left <= 0) {
        announce(run, 'expired');
        throw fail('Expired', `nobody decided "${id}" in time`);
      }
      const wait = Math.min(left, question.reminderSeconds * 1_000);
      const summary = left <= wait ? `${id} expires` : `remind about ${id}`;
      if (await condition(answered, wait, { summary })) return run.answer;
      if (expiresMs !== null && Date.now() >= expiresMs) continue;
      const valid = question.stillValid === undefined || (await question.stillValid());
      // Answered while that was looked at. A no counts whatever the plan has become; a yes only for what it named.
      if (run.answer !== null && (valid || run.answer.choice === 'reject')) return run.answer;
      if (!valid) return null;
      if (run.question !== null) run.question = { ...run.question, reminders: run.question.reminders + 1 };
      run.event('reminder', `${id} still waits for an answer: ${question.text}`);
      announce(run, 'reminder');
    }
  } finally {
    if (run.answer !== null) announce(run, 'decision');
    run.closeQuestion();
  }
}
